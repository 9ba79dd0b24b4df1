using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>
/// What a route changes in requests and answers: nothing that would break a message's frame, forge what the gateway vouches for, or send a client in a circle. Values of headers
/// are never shown in a message: one may be a credential.
/// </summary>
internal static class FilterValidator
{
    /// <summary>Of each of set, add and remove (Gateway API).</summary>
    private const int MostHeaders = 16;

    /// <summary>Names and values of one filter together: a head has 32 KiB at most, and most of it is the client's.</summary>
    private const int MostCharacters = 8 * 1024;

    private const int LongestPath = 1024;

    /// <summary>Items of a list of filters to look for a kind in: more are faults anyway.</summary>
    private const int MostItems = 16;

    public static void Validate(RouteOptions route, GatewayConfiguration configuration, string key, FaultCollector faults)
    {
        var filters = route.Filters;
        var copied = configuration.Backends
            .Where(b => b.Auth is not null && route.Backends.Any(w => string.Equals(w.Name, b.Name, StringComparison.Ordinal)))
            .SelectMany(static b => b.Auth!.CopyHeaders).ToHashSet(StringComparer.OrdinalIgnoreCase);
        string? FaultOfRequest(string name) => HeaderNames.FaultOfChangedRequest(name)
            ?? (copied.Contains(name) ? $"{Printable.Quote(name)} is one of auth.copyHeaders of the route's backend, and what the auth service says is not changed; remove it from one of them" : null);

        var request = KeyOf(key, "requestHeaders", faults);
        if (!filters.RequestHeaders.IsNone || faults.IsWritten(request))
            ValidateChanges(filters.RequestHeaders, request, FaultOfRequest, "x-gateway", faults);
        var response = KeyOf(key, "responseHeaders", faults);
        if (!filters.ResponseHeaders.IsNone || faults.IsWritten(response))
            ValidateChanges(filters.ResponseHeaders, response, HeaderNames.FaultOfChangedResponse, "strict-transport-security", faults);
        if (filters.Rewrite is { } rewrite)
            ValidateRewrite(rewrite, route, KeyOf(key, "rewrite", faults), faults);
        if (filters.Redirect is { } redirect)
            ValidateRedirect(redirect, route, configuration.Listeners, KeyOf(key, "redirect", faults), faults);
        foreach (var (kind, changes) in new[] { ("requestHeaders", filters.RequestHeaders), ("responseHeaders", filters.ResponseHeaders) })
        {
            if (filters.Redirect is not null && !changes.IsNone)
                faults.Invalid(KeyOf(key, kind, faults), "a route that redirects asks no endpoint whose messages could be changed; remove one of them");
        }

        if (filters is { Rewrite: not null, Redirect: not null })
            faults.Invalid(KeyOf(key, "redirect", faults), "a request is either rewritten or redirected; remove one");
    }

    /// <summary>The records do not tell in which item of the list a kind stood: the file does.</summary>
    private static string KeyOf(string key, string kind, FaultCollector faults)
    {
        for (var i = 0; i < MostItems; i++)
        {
            var item = Say($"{key}[{i}].{kind}");
            if (faults.IsWritten(item))
                return item;
        }

        return key + "." + kind;
    }

    private static void ValidateChanges(HeaderChanges changes, string key, Func<string, string?> faultOf, string example, FaultCollector faults)
    {
        if (changes.IsNone && !faults.IsDamaged(key))
            faults.Invalid(key, $"changes nothing; write for example {{set: {{{example}: value}}}}");

        var set = ValidateLines(changes.Set, key + ".set", faultOf, faults);
        var add = ValidateLines(changes.Add, key + ".add", faultOf, faults);
        if (changes.Remove.Count > MostHeaders)
            faults.Invalid(key + ".remove", Say($"has {changes.Remove.Count} entries; at most {MostHeaders} are allowed"));
        var removed = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < changes.Remove.Count && i < MostHeaders; i++)
        {
            var (name, item) = (changes.Remove[i], Say($"{key}.remove[{i}]"));
            if (faultOf(name) is { } fault)
                faults.Invalid(item, fault);
            else if (!removed.Add(name))
                faults.Invalid(item, $"{Printable.Quote(name)} is listed twice");
            else if (set.Contains(name))
                faults.Invalid(item, $"{Printable.Quote(name)} is also set, which replaces every line of it; remove it here");
            else if (add.Contains(name))
                faults.Invalid(item, $"{Printable.Quote(name)} is also added; write it under set, which replaces every line of it");
        }

        var characters = changes.Set.Concat(changes.Add).Sum(static h => (long)h.Name.Length + h.Value.Length);
        if (characters > MostCharacters)
            faults.Invalid(key, Say($"names and values have {characters} characters together; at most {MostCharacters} are allowed"));
    }

    private static HashSet<string> ValidateLines(IReadOnlyList<NameValueMatch> lines, string key, Func<string, string?> faultOf, FaultCollector faults)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        if (lines.Count > MostHeaders)
            faults.Invalid(key, Say($"has {lines.Count} entries; at most {MostHeaders} are allowed"));
        foreach (var (name, value) in lines.Take(MostHeaders))
        {
            var item = key + "." + name;
            if (faultOf(name) is { } fault)
                faults.Invalid(item, fault);
            else if (!seen.Add(name))
                faults.Invalid(item, $"the header {Printable.Quote(name)} is given twice, in another case; remove one");
            else if (!Syntax.IsHeaderValue(value))
                faults.Invalid(item, "is no header's value: write 1 to 4096 visible ASCII characters, with spaces and tabs only between them, for example max-age=3600");
        }

        return seen;
    }

    private static void ValidateRewrite(RewriteFilter rewrite, RouteOptions route, string key, FaultCollector faults)
    {
        if (rewrite is { Host: null, Path: null })
            faults.Invalid(key, "changes nothing; write for example {path: {prefix: /}} or {host: chat.internal}");
        if (rewrite.Host is { } host && !IsHostAndPort(host))
            faults.Invalid(key + ".host", $"{Printable.Quote(host)} is not a host, with or without port; write for example chat.internal or chat.internal:8080");
        if (rewrite.Path is { } path)
            ValidatePath(path, route, key + ".path", faults);
    }

    private static void ValidateRedirect(RedirectFilter redirect, RouteOptions route, IReadOnlyList<ListenerOptions> listeners, string key, FaultCollector faults)
    {
        if (redirect.Scheme is not (null or "http" or "https"))
            faults.Invalid(key + ".scheme", $"{Printable.Quote(redirect.Scheme)} is neither http nor https; write https");
        if (redirect.Host is { } host && !Syntax.IsUrlHost(host))
        {
            var hint = host.Contains("://", StringComparison.Ordinal) ? " (the scheme has its own key)" : host.Contains(':', StringComparison.Ordinal) ? " (the port has its own key)" : "";
            faults.Invalid(key + ".host", $"{Printable.Quote(host)} is not a host{hint}; write for example chat.example.com");
        }

        if (redirect.Port is < 1 or > 65535)
            faults.Invalid(key + ".port", Say($"{redirect.Port} is not a port; write 1 to 65535, for example 443"));
        if (redirect.Status is not (301 or 302 or 303 or 307 or 308))
            faults.Invalid(key + ".status", Say($"{redirect.Status} is no redirect that browsers follow; write 301, 302, 303, 307 or 308"));
        if (redirect.Path is { } path)
            ValidatePath(path, route, key + ".path", faults);
        if (!faults.IsDamaged(key) && LoopOf(redirect, route, listeners, faults) is { } where)
            faults.Invalid(key, $"leads {where} back to itself; {(redirect.Scheme is null ? "write for example {scheme: https}" : "write the names of the others as the route's listeners, for example [web]")}");
    }

    private static void ValidatePath(PathRewrite path, RouteOptions route, string key, FaultCollector faults)
    {
        var isPrefix = path.Kind == PathRewriteKind.Prefix;
        key += isPrefix ? ".prefix" : ".full";
        if (!path.Value.StartsWith('/'))
            faults.Invalid(key, $"{Printable.Quote(path.Value)} must start with '/'; write for example {(isPrefix ? "/, which takes the prefix away" : "/index.html")}");
        else if (path.Value.Length > LongestPath)
            faults.Invalid(key, Say($"has {path.Value.Length} characters; at most {LongestPath} are allowed"));
        else if (!Syntax.IsVisible(path.Value) || path.Value.AsSpan().ContainsAny('?', '#'))
            faults.Invalid(key, $"{Printable.Quote(path.Value)} is not a path: write visible ASCII without '?' and '#', percent-encoded, for example /caf%C3%A9 (the query stays)");
        else if (isPrefix && route.Path.Kind == PathMatchKind.Exact)
            faults.Invalid(key, $"the route's path is exact, so that there is no prefix to replace; write `full: {Printable.Text(path.Value, 60)}`");
    }

    /// <summary>
    /// Which requests, those of the whole route or of one of its listeners, the redirect sends to where they came from, as far as that is sure: a scheme that proxies may have
    /// changed, and ports that a Service or a container may have mapped, are given the benefit of the doubt. Null: none.
    /// </summary>
    private static string? LoopOf(RedirectFilter redirect, RouteOptions route, IReadOnlyList<ListenerOptions> listeners, FaultCollector faults)
    {
        if (redirect.Port is not null || faults.IsDamaged("listeners") || ChangesHost(redirect, route) || ChangesPath(redirect, route))
            return null;
        if (redirect.Scheme is not { } scheme)
            return "every request";
        var loop = listeners.FirstOrDefault(l => (route.Listeners.Count == 0 || route.Listeners.Contains(l.Name, StringComparer.Ordinal))
            && (l.Tls is not null ? scheme is "https" : l.TrustedProxies.Count == 0 && scheme is "http"));
        return loop is null ? null : $"every request of the listener {Printable.Quote(loop.Name)}";
    }

    private static bool ChangesHost(RedirectFilter redirect, RouteOptions route) =>
        redirect.Host is { } host && !(route.Hosts.Count == 1 && string.Equals(host, route.Hosts[0], StringComparison.OrdinalIgnoreCase));

    private static bool ChangesPath(RedirectFilter redirect, RouteOptions route) => redirect.Path switch
    {
        null => false,
        { Kind: PathRewriteKind.Full } path => route.Path.Kind != PathMatchKind.Exact || !string.Equals(path.Value, route.Path.Value, StringComparison.Ordinal),
        { } path => !string.Equals(path.Value.TrimEnd('/'), route.Path.Value.TrimEnd('/'), StringComparison.Ordinal),
    };

    private static bool IsHostAndPort(string text)
    {
        var colon = text.LastIndexOf(':');
        if (colon <= text.LastIndexOf(']') || Syntax.IsUrlHost(text))
            return Syntax.IsUrlHost(text);
        return Syntax.IsUrlHost(text[..colon])
            && int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is >= 1 and <= 65535;
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
