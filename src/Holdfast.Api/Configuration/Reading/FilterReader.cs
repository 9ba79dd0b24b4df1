using Schema = Holdfast.Api.Configuration.Reading.FilterSchema;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Fills what a route changes in requests and answers: a list whose items are one filter each, every kind at most once.</summary>
internal static class FilterReader
{
    private static readonly HeaderChanges NoChanges = new();
    private static readonly RewriteFilter NoRewrite = new(null, null);
    private static readonly RedirectFilter NoRedirect = new(null, null, null, null);
    private static readonly PathRewrite NoPath = new(PathRewriteKind.Prefix, "/");

    public static RouteFilters Read(SectionReader s)
    {
        RouteFilters filters = new();
        var firsts = new Dictionary<string, string>(StringComparer.Ordinal);
        _ = s.Sections("filters", Schema.Filter, ReadFilter, filters, "[{requestHeaders: {set: {x-gateway: holdfast}}}]");
        return filters;

        RouteFilters ReadFilter(SectionReader f)
        {
            string[] given = [.. Schema.Filter.Keys.Select(static k => k.Name).Where(f.Has)];
            if (given.Length > 1 || f.IsEmpty)
                f.Add("needs exactly one of requestHeaders, responseHeaders, rewrite and redirect; write another item for each further one");
            foreach (var kind in given)
            {
                var first = firsts.TryAdd(kind, f.Key);
                var read = ReadKind(f, kind, filters);
                if (first)
                    filters = read;
                else
                    f.Damage(kind, $"is given by {firsts[kind]} too; write both as one");
            }

            return filters;
        }
    }

    private static RouteFilters ReadKind(SectionReader s, string kind, RouteFilters filters) => kind switch
    {
        "requestHeaders" => filters with { RequestHeaders = s.Section(kind, Schema.RequestHeaders, ReadChanges, NoChanges) },
        "responseHeaders" => filters with { ResponseHeaders = s.Section(kind, Schema.ResponseHeaders, ReadChanges, NoChanges) },
        "rewrite" => filters with { Rewrite = s.Section(kind, Schema.Rewrite, ReadRewrite, NoRewrite) },
        _ => filters with { Redirect = s.Section(kind, Schema.Redirect, ReadRedirect, NoRedirect) },
    };

    private static HeaderChanges ReadChanges(SectionReader s) => new()
    {
        Set = [.. s.Scalars("set", "{x-gateway: holdfast}").Select(static h => new NameValueMatch(h.Key, h.Value))],
        Add = [.. s.Scalars("add", "{x-gateway: holdfast}").Select(static h => new NameValueMatch(h.Key, h.Value))],
        Remove = s.List<string>("remove", ValueParsers.Any, "[x-debug]"),
    };

    private static RewriteFilter ReadRewrite(SectionReader s) =>
        new(s.OptionalReference<string>("host", ValueParsers.Any), s.Has("path") ? s.Section("path", Schema.RewritePath, ReadPath, NoPath) : null);

    private static RedirectFilter ReadRedirect(SectionReader s) => new(
        s.OptionalReference<string>("scheme", ValueParsers.Scheme),
        s.OptionalReference<string>("host", ValueParsers.Any),
        s.Has("port") ? s.Optional("port", ValueParsers.Number, 80) : null,
        s.Has("path") ? s.Section("path", Schema.RedirectPath, ReadPath, NoPath) : null,
        s.Optional("status", ValueParsers.Number, NoRedirect.Status));

    private static PathRewrite ReadPath(SectionReader s)
    {
        var prefix = s.OptionalReference<string>("prefix", ValueParsers.Any);
        var full = s.OptionalReference<string>("full", ValueParsers.Any);
        if (s.Has("prefix") == s.Has("full"))
            s.Add("needs either prefix or full; write for example {prefix: /}");
        return full is not null ? new PathRewrite(PathRewriteKind.Full, full) : new PathRewrite(PathRewriteKind.Prefix, prefix ?? "/");
    }
}
