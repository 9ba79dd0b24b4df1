using System.Text.RegularExpressions;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Routes;

/// <summary>Traefik's IngressRoute, also under the group that version 3 removed.</summary>
internal static partial class TraefikRoutes
{
    public static readonly string[] Groups = ["traefik.io", "traefik.containo.us"];

    /// <summary>Of a match, in characters, that is searched: a guard for the expressions below.</summary>
    private const int MaxMatch = 4096;

    public static IEnumerable<Route> Read(ObjectIndex objects)
    {
        foreach (var item in objects.OfKind("IngressRoute").Where(o => Groups.Contains(o.Group, StringComparer.Ordinal)))
        {
            var annotations = new AnnotationSigns(item);
            foreach (var rule in item.Spec?["routes"]?.Items ?? [])
            {
                foreach (var service in rule["services"]?.Items ?? [])
                {
                    if (service["kind"]?.AsText is null or "Service" && service["name"]?.AsText is { } name)
                        yield return Read(item, rule, service, name, annotations);
                }
            }
        }
    }

    private static Route Read(KubernetesObject item, Node rule, Node service, string name, AnnotationSigns annotations)
    {
        var match = rule["match"];
        var text = match?.AsText ?? "";
        if (text.Length > MaxMatch)
            text = text[..MaxMatch];
        var route = new Route
        {
            Object = item,
            Rule = rule,
            Host = HostOf(text),
            Path = PathOf(text),
            PathNode = match,
            Backend = service,
            ServiceNamespace = service["namespace"]?.AsText ?? item.Namespace,
            ServiceName = name,
            ServicePort = service["port"]?.AsText,
        };
        RouteSigns.AddFromPath(route);
        annotations.AddTo(route);
        if (UpgradeHeader().IsMatch(text))
            route.OwnSigns.Add(new Sign(true, $"{item} matches the header Upgrade: websocket", match));
        return route;
    }

    private static string HostOf(string match) => HostRule().Match(match) is { Success: true } found ? found.Groups["value"].Value : "";

    private static string PathOf(string match) => PathRule().Match(match) is { Success: true } found ? found.Groups["value"].Value : "";

    [GeneratedRegex(@"\bHost(?:SNI)?\(\s*[`""'](?<value>[^`""']*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex HostRule();

    [GeneratedRegex(@"\bPath(?:Prefix|Regexp)?\(\s*[`""'](?<value>[^`""']*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PathRule();

    [GeneratedRegex(@"\bHeaders?(?:Regexp)?\(\s*[`""']Upgrade[`""']\s*,\s*[`""'][^`""']*websocket", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, 1000)]
    private static partial Regex UpgradeHeader();
}
