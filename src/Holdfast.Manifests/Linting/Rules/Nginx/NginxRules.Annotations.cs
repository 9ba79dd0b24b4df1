using Holdfast.Api.Configuration.Reading;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;

namespace Holdfast.Manifests.Linting.Rules.Nginx;

/// <summary>Annotations that do not do what their author hopes.</summary>
internal static partial class NginxRules
{
    private const string HttpVersion = "proxy-http-version";

    /// <summary>Found in guides, but not in ingress-nginx.</summary>
    private static readonly Dictionary<string, string> Myths = new(StringComparer.Ordinal)
    {
        ["proxy-set-headers"] = "It is a key of the controller's ConfigMap, whose value names another ConfigMap (namespace/name) with the headers; Upgrade and Connection are passed on without it.",
        ["proxy-set-header"] = "Headers are set by the ConfigMap's proxy-set-headers; Upgrade and Connection are passed on without it.",
        ["websocket-services"] = "It belongs to F5's controller (nginx.org/websocket-services); ingress-nginx passes WebSockets on for every Service.",
        ["connection-upgrade"] = "ingress-nginx passes Upgrade and Connection on by itself.",
        ["enable-websocket"] = "ingress-nginx passes WebSockets on by itself.",
        ["enable-websockets"] = "ingress-nginx passes WebSockets on by itself.",
        ["websocket"] = "ingress-nginx passes WebSockets on by itself.",
        ["websockets"] = "ingress-nginx passes WebSockets on by itself.",
    };

    /// <summary>Without these a connection drops or goes astray, so a misspelt one is no trifle.</summary>
    private static readonly HashSet<string> Decisive = new(StringComparer.Ordinal)
    {
        Read, Send, HttpVersion, "affinity", "affinity-mode", "session-cookie-name", "session-cookie-samesite", "session-cookie-secure", "upstream-hash-by", "backend-protocol",
    };

    private static readonly string[] F5Prefixes = ["nginx.org/", "nginx.com/"];

    private static Rule UnknownAnnotation => new()
    {
        Id = "HF-N05",
        Name = "nginx-unknown-annotation",
        Severity = Severity.Error,
        Summary = "an annotation nginx.ingress.kubernetes.io/… that ingress-nginx does not have",
        Why = "ingress-nginx passes over annotations that it does not know, without a word: what the author hoped for does not happen. For a misspelt time-out the default of 60 s holds.",
        Fix = "Correct or delete the annotation. ingress-nginx passes WebSockets on without any.",
        NotClaimed = "An annotation that is merely unknown is reported as advice: it changes nothing.",
        References = [Docs + "user-guide/nginx-configuration/annotations-risk.md", WebSocketDocs],
        HasPatch = true,
        Check = CheckUnknownAnnotation,
    };

    private static Rule WrongFlavour => new()
    {
        Id = "HF-N06",
        Name = "nginx-wrong-flavour",
        Severity = Severity.Warning,
        Summary = "an annotation of the other nginx controller",
        Why = "Two controllers are called nginx: kubernetes/ingress-nginx reads nginx.ingress.kubernetes.io/…, F5's NGINX Ingress Controller reads nginx.org/… and nginx.com/…. Each passes over the other's.",
        Fix = "Use the prefix of the controller that serves this class; names and units differ too.",
        References = [AnnotationDocs, "https://docs.nginx.com/nginx-ingress-controller/configuration/ingress-resources/advanced-configuration-with-annotations/"],
        Check = CheckWrongFlavour,
    };

    private static Rule UpgradeSnippet => new()
    {
        Id = "HF-N07",
        Name = "nginx-upgrade-snippet",
        Severity = Severity.Warning,
        Summary = "a snippet that sets Upgrade or Connection",
        Why = "The template of ingress-nginx sets both headers already. Snippets are off by default (allow-snippet-annotations, annotations-risk-level): the whole Ingress is then refused, so its routes do not exist.",
        Fix = "Delete the snippet.",
        References = [ConfigMapDocs + "#allow-snippet-annotations", "https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/rootfs/etc/nginx/template/nginx.tmpl"],
        HasPatch = true,
        Check = CheckUpgradeSnippet,
    };

    private static Rule Http10 => new()
    {
        Id = "HF-N08",
        Name = "nginx-http-1.0",
        Severity = Severity.Error,
        Summary = "proxy-http-version \"1.0\" on the way of WebSockets",
        Why = "An upgrade needs HTTP/1.1 (RFC 6455, 4.1). Towards the application nginx would speak HTTP/1.0, and every handshake fails.",
        Fix = "Remove proxy-http-version: the default is 1.1.",
        References = [AnnotationDocs + "#proxy-http-version", "https://www.rfc-editor.org/rfc/rfc6455#section-4.1"],
        HasPatch = true,
        Check = CheckHttp10,
    };

    private static IEnumerable<Detection> CheckUnknownAnnotation(LintContext context)
    {
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            foreach (var entry in ingress.Annotations?.Entries ?? [])
            {
                var key = entry.Key.Text;
                if (!key.StartsWith(NginxTimeout.Prefix, StringComparison.Ordinal) || KnownAnnotations.All.Contains(key[NginxTimeout.Prefix.Length..]))
                    continue;
                var name = key[NginxTimeout.Prefix.Length..];
                var myth = Myths.GetValueOrDefault(name);
                var near = myth is null ? KeySuggestion.Nearest(name, KnownAnnotations.All) : null;
                yield return new Detection(ingress, Place.Of(entry.Key), $"ingress-nginx has no annotation {name} and ignores it." + (near is null ? "" : $" Did you mean {near}?"))
                {
                    Severity = near is not null && Decisive.Contains(near) ? Severity.Error : myth is not null ? Severity.Warning : Severity.Advice,
                    Fix = myth is not null ? $"Delete it. {myth}" : near is not null ? $"Write {NginxTimeout.Prefix}{near}." : null,
                    // What tells us that this Ingress carries WebSockets must not vanish with the advice about it.
                    Patch = myth is not null && routes.All(r => r.Signs.Any(s => !ReferenceEquals(s.At, entry.Value))) ? Edits.RemoveAnnotation(ingress, key) : null,
                    Because = routes[0].Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckWrongFlavour(LintContext context)
    {
        foreach (var exposed in context.ExposedObjects)
        {
            var (prefixes, name) = exposed.Entry.Kind switch
            {
                EntryKind.IngressNginx => (F5Prefixes, "ingress-nginx"),
                EntryKind.F5Nginx => ([NginxTimeout.Prefix], "F5's NGINX Ingress Controller"),
                _ => ([], ""),
            };
            foreach (var entry in prefixes.Length > 0 ? exposed.Object.Annotations?.Entries ?? [] : [])
            {
                if (prefixes.Any(p => entry.Key.Text.StartsWith(p, StringComparison.Ordinal)))
                    yield return new Detection(exposed.Object, Place.Of(entry.Key), $"{entry.Key.Text} is an annotation of the other nginx controller; {name} serves this Ingress and ignores it.") { Because = exposed.Routes[0].Signs };
            }
        }
    }

    private static IEnumerable<Detection> CheckUpgradeSnippet(LintContext context)
    {
        foreach (var (ingress, entry, routes) in Ingresses(context))
        {
            foreach (var name in (string[])["configuration-snippet", "server-snippet"])
            {
                if (Annotation(ingress, name) is not { } snippet || !SetsUpgrade(snippet.Text))
                    continue;
                var isAllowed = IsTrue(Setting(entry, "allow-snippet-annotations"));
                yield return new Detection(
                    ingress,
                    Place.Of(ingress, "metadata", "annotations", NginxTimeout.Prefix + name),
                    $"{name} sets Upgrade or Connection, which ingress-nginx does already" + (isAllowed ? "." : ", and where snippets are not allowed the whole Ingress is refused."))
                {
                    Severity = isAllowed ? Severity.Advice : null,
                    Patch = SetsNothingElse(snippet.Text) && routes.All(r => r.Signs.Any(s => !ReferenceEquals(s.At, snippet))) ? Edits.RemoveAnnotation(ingress, NginxTimeout.Prefix + name) : null,
                    Because = routes[0].Signs,
                };
            }
        }
    }

    private static IEnumerable<Detection> CheckHttp10(LintContext context)
    {
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            if (Annotation(ingress, HttpVersion) is { } version && version.Text.Trim() == "1.0")
            {
                yield return new Detection(ingress, Place.Of(version), "proxy-http-version is 1.0, which knows no upgrade: every WebSocket handshake fails.")
                {
                    Patch = Edits.RemoveAnnotation(ingress, NginxTimeout.Prefix + HttpVersion),
                    Because = routes[0].Signs,
                };
            }
        }

        foreach (var controller in Controllers(context))
        {
            if (controller.Config is { } config && Setting(controller, HttpVersion) is { Text: "1.0" } version)
            {
                yield return new Detection(config, Place.Of(version), "proxy-http-version is 1.0 for every Ingress: WebSocket handshakes fail.")
                {
                    Patch = Edits.Remove("remove proxy-http-version", config.Root, ["data", HttpVersion]),
                    Because = controller.Routes.First(r => r.IsWebSocket).Signs,
                };
            }
        }
    }

    private static bool SetsUpgrade(string snippet) => Directives(snippet).Any(d => d is ["proxy_set_header", var header, ..] && IsUpgradeHeader(header));

    private static bool SetsNothingElse(string snippet) =>
        Directives(snippet).All(d => d is ["proxy_http_version", ..] || d is ["proxy_set_header", var header, ..] && IsUpgradeHeader(header));

    private static bool IsUpgradeHeader(string header) => header.Trim('"', '\'').ToUpperInvariant() is "UPGRADE" or "CONNECTION";

    /// <summary>Roughly: blocks are taken apart too, so a directive inside one is seen, and its opening is something else.</summary>
    private static IEnumerable<string[]> Directives(string snippet) =>
        string.Join('\n', snippet.Split('\n').Select(l => l.Split('#')[0])).Split([';', '{', '}'])
            .Select(d => d.Split([' ', '\t', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries)).Where(d => d.Length > 0);
}
