using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.Nginx;

/// <summary>HF-N: ingress-nginx, its annotations, its controller and the Service before that. Read against its sources at v1.15.1.</summary>
internal static partial class NginxRules
{
    private const string Docs = "https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/docs/";
    private const string AnnotationDocs = Docs + "user-guide/nginx-configuration/annotations.md";
    private const string ConfigMapDocs = Docs + "user-guide/nginx-configuration/configmap.md";
    private const string WebSocketDocs = Docs + "user-guide/miscellaneous.md#websockets";

    public static RuleFamily Family { get; } = new('N', "ingress-nginx",
    [
        Retired, ReadTimeout, SendTimeout, TimeoutUnit, UnknownAnnotation, WrongFlavour, UpgradeSnippet, Http10, ReloadCutoff, GraceMismatch, LimitConnections, LimitRate,
        PartialAffinity, BalancedAffinity, InsecureCookie, ServiceUpstream, BalancerReadsHttp,
    ]);

    /// <summary>Ingresses that carry WebSockets through ingress-nginx. Of a canary it reads almost no annotation: those of the main one count.</summary>
    private static IEnumerable<ExposedObject> Ingresses(LintContext context) =>
        context.ExposedBy(EntryKind.IngressNginx).Where(e => e.Object.Kind == "Ingress" && !IsTrue(Annotation(e.Object, "canary")));

    /// <summary>ingress-nginx classes that carry WebSockets.</summary>
    private static IEnumerable<Entry> Controllers(LintContext context) => context.WebSocketEntries.Where(e => e.Kind == EntryKind.IngressNginx);

    private static Node? Annotation(KubernetesObject ingress, string name) => ingress.Annotation(NginxTimeout.Prefix + name);

    /// <summary>What Go's ParseBool takes, as ingress-nginx does.</summary>
    private static bool IsTrue(Node? value) => value?.Text is "1" or "t" or "T" or "true" or "True" or "TRUE";

    private static Node? Setting(Entry entry, string key) => entry.Config?.Root.At("data", key);
}
