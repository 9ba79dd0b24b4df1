using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>Each route by itself, and that its backends exist.</summary>
internal static class RouteValidator
{
    private const int MostMatches = 16;
    private const int LongestPath = 1024;
    private const int HeaviestWeight = 1_000_000;

    private static readonly HashSet<string> StandardMethods =
        new(StringComparer.OrdinalIgnoreCase) { "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH" };

    public static void Validate(GatewayConfiguration configuration, FaultCollector faults)
    {
        var backends = configuration.Backends.Select(b => b.Name).ToHashSet(StringComparer.Ordinal);
        var listeners = configuration.Listeners.Select(l => l.Name).ToHashSet(StringComparer.Ordinal);
        for (var i = 0; i < configuration.Routes.Count && !faults.IsFull; i++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"routes[{i}]");
            var route = configuration.Routes[i];
            ValidateListeners(route.Listeners, listeners, key + ".listeners", faults);
            ValidateHosts(route.Hosts, key + ".hosts", faults);
            ValidatePath(route.Path, key + ".path", faults);
            ValidateHeaders(route.Headers, key + ".headers", faults);
            ValidateQuery(route.Query, key + ".query", faults);
            ValidateMethods(route.Methods, key + ".methods", faults);
            ValidateTimeouts(route.Timeouts, key + ".timeouts", faults);
            if (route.Filters.Redirect is null)
                ValidateBackends(route.Backends, backends, key + ".backends", faults);
            else if (route.Backends.Count > 0)
                faults.Invalid(key + ".backends", "a route that redirects asks no backend; remove one");
            FilterValidator.Validate(route, configuration, key + ".filters", faults);
        }
    }

    private static void ValidateListeners(IReadOnlyList<string> chosen, HashSet<string> known, string key, FaultCollector faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < chosen.Count; i++)
        {
            if (!known.Contains(chosen[i]))
            {
                if (!faults.IsDamaged("listeners"))
                    faults.Invalid(Item(key, i), $"there is no listener {Printable.Quote(chosen[i])}; {Known(chosen[i], known, "listeners")}");
            }
            else if (!seen.Add(chosen[i]))
            {
                faults.Invalid(Item(key, i), $"{Printable.Quote(chosen[i])} is listed twice");
            }
        }
    }

    private static void ValidateHosts(IReadOnlyList<string> hosts, string key, FaultCollector faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < hosts.Count; i++)
        {
            var host = hosts[i];
            if (!Syntax.IsHostName(host.StartsWith("*.", StringComparison.Ordinal) ? host.AsSpan(2) : host))
                faults.Invalid(Item(key, i),
                    $"{Printable.Quote(host)} is not a host name{HostHint(host)}; write for example chat.example.com or *.example.com");
            else if (!seen.Add(host))
                faults.Invalid(Item(key, i), $"{Printable.Quote(host)} is listed twice");
        }
    }

    private static string HostHint(string host) =>
        host.Contains("://", StringComparison.Ordinal) ? " (without scheme)"
        : host.Contains(':', StringComparison.Ordinal) ? " (without port)"
        : host is "*" ? " (leave hosts out to match any)"
        : host.Contains('*', StringComparison.Ordinal) ? " (only a whole first label may be '*')"
        : "";

    private static void ValidatePath(PathMatch path, string key, FaultCollector faults)
    {
        key += path.Kind == PathMatchKind.Exact ? ".exact" : ".prefix";
        if (!path.Value.StartsWith('/'))
            faults.Invalid(key, $"{Printable.Quote(path.Value)} must start with '/'; write for example /ws");
        else if (path.Value.Length > LongestPath)
            faults.Invalid(key,
                string.Create(CultureInfo.InvariantCulture, $"has {path.Value.Length} characters; at most {LongestPath} are allowed"));
        else if (!Syntax.IsVisible(path.Value) || path.Value.AsSpan().ContainsAny('?', '#'))
            faults.Invalid(key,
                $"{Printable.Quote(path.Value)} can never match: "
                + "write visible ASCII without '?' and '#', percent-encoded as in the request, for example /caf%C3%A9");
    }

    private static void ValidateHeaders(IReadOnlyList<NameValueMatch> headers, string key, FaultCollector faults)
    {
        ValidateCount(headers.Count, key, faults);
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        for (var i = 0; i < headers.Count; i++)
        {
            var (name, value) = headers[i];
            if (!Syntax.IsToken(name) || name.Length > 256)
                faults.Invalid(Item(key, i) + ".name", $"{Printable.Quote(name)} is not a header name; write for example x-canary");
            else if (!seen.Add(name))
                faults.Invalid(Item(key, i) + ".name", $"the header {Printable.Quote(name)} is listed twice, and both can never hold; remove one");
            if (!Syntax.IsHeaderValue(value))
                faults.Invalid(Item(key, i) + ".value",
                    $"{Printable.Quote(value)} can never match: write 1 to 4096 visible ASCII characters, for example always");
        }
    }

    private static void ValidateQuery(IReadOnlyList<NameValueMatch> query, string key, FaultCollector faults)
    {
        ValidateCount(query.Count, key, faults);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < query.Count; i++)
        {
            var (name, value) = query[i];
            if (!Syntax.IsQueryName(name))
                faults.Invalid(Item(key, i) + ".name",
                    $"{Printable.Quote(name)} can never match: "
                    + "write 1 to 256 visible ASCII characters without '&', '=' and '#', percent-encoded as in the request, for example version");
            else if (!seen.Add(name))
                faults.Invalid(Item(key, i) + ".name", $"the parameter {Printable.Quote(name)} is listed twice, and both can never hold; remove one");
            if (value.Length > 1024 || !Syntax.IsVisible(value) || value.AsSpan().ContainsAny('&', '#'))
                faults.Invalid(Item(key, i) + ".value",
                    $"{Printable.Quote(value)} can never match: "
                    + "write at most 1024 visible ASCII characters without '&' and '#', percent-encoded as in the request, for example 2");
        }
    }

    private static void ValidateCount(int count, string key, FaultCollector faults)
    {
        if (count > MostMatches)
            faults.Invalid(key, string.Create(CultureInfo.InvariantCulture, $"has {count} entries; at most {MostMatches} are allowed"));
    }

    private static void ValidateMethods(IReadOnlyList<string> methods, string key, FaultCollector faults)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < methods.Count; i++)
        {
            var method = methods[i];
            if (!Syntax.IsToken(method) || method.Length > 32)
                faults.Invalid(Item(key, i), $"{Printable.Quote(method)} is not a method; write for example GET");
            else if (StandardMethods.Contains(method) && method.Any(char.IsAsciiLetterLower))
                faults.Invalid(Item(key, i),
                    $"{Printable.Quote(method)} can never match, since methods are case-sensitive; write {method.ToUpperInvariant()}");
            else if (!seen.Add(method))
                faults.Invalid(Item(key, i), $"{Printable.Quote(method)} is listed twice");
        }
    }

    private static void ValidateTimeouts(RouteTimeouts timeouts, string key, FaultCollector faults)
    {
        if (timeouts.Connect <= TimeSpan.Zero)
            faults.Invalid(key + ".connect", "0s would refuse every handshake; write for example 5s");
        if (timeouts.Handshake <= TimeSpan.Zero)
            faults.Invalid(key + ".handshake", "0s would refuse every handshake; write for example 10s");
        else if (timeouts.Connect > timeouts.Handshake && !faults.IsDamaged(key + ".connect") && !faults.IsDamaged(key + ".handshake"))
            faults.Invalid(key + ".connect",
                $"{Units.Format(timeouts.Connect)} is longer than the handshake's {Units.Format(timeouts.Handshake)}, which includes it; "
                + $"write at most {Units.Format(timeouts.Handshake)}");
    }

    private static void ValidateBackends(IReadOnlyList<WeightedBackend> chosen, HashSet<string> known, string key, FaultCollector faults)
    {
        if (chosen.Count == 0)
            faults.Invalid(key, "at least one backend is needed; write for example [{name: chat, weight: 1}]");

        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < chosen.Count; i++)
        {
            var (name, weight) = chosen[i];
            if (!known.Contains(name))
                faults.Invalid(Item(key, i) + ".name", $"there is no backend {Printable.Quote(name)}; {Known(name, known, "backends")}");
            else if (!seen.Add(name))
                faults.Invalid(Item(key, i) + ".name", $"the backend {Printable.Quote(name)} is listed twice; add the weights up in one entry");
            if (weight is < 0 or > HeaviestWeight)
                faults.Invalid(Item(key, i) + ".weight",
                    string.Create(CultureInfo.InvariantCulture, $"{weight} is not a weight from 0 to {HeaviestWeight}; write for example 10"));
        }

        if (chosen.Count > 0 && chosen.All(b => b.Weight == 0))
            faults.Invalid(key, "every weight is 0, so no backend would ever be chosen; give one at least 1");
    }

    private static string Known(string name, HashSet<string> known, string section) =>
        KeySuggestion.Nearest(name, known.Take(1_000)) is { } near ? $"did you mean {Printable.Quote(near)}?"
        : known.Count == 0 ? "add it under " + section
        : "there are " + string.Join(", ", known.Take(10).Select(Printable.Quote));

    private static string Item(string key, int index) => string.Create(CultureInfo.InvariantCulture, $"{key}[{index}]");
}
