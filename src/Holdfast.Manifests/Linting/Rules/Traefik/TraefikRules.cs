using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Entries;

namespace Holdfast.Manifests.Linting.Rules.Traefik;

/// <summary>HF-T: Traefik, its annotations, custom resources and arguments. Read against its sources at v3.7.9.</summary>
internal static partial class TraefikRules
{
    private const string Source = "https://github.com/traefik/traefik/blob/v3.7.9/";
    private const string Docs = "https://doc.traefik.io/traefik/";
    private const string Prefix = "traefik.ingress.kubernetes.io/";

    public static RuleFamily Family { get; } = new('T', "Traefik", [StickyOnIngress, LegacyApi, GraceTimeOut, NoAcceptGrace, InFlightLimit, NginxProviderGap]);

    /// <summary>What runs Traefik for WebSockets, once each; its other entries share it.</summary>
    private static IEnumerable<(Workload Workload, Entry Entry)> Controllers(LintContext context) =>
        context.WebSocketEntries.Where(e => e.Kind == EntryKind.Traefik).SelectMany(e => e.Controllers.Select(c => (Workload: c, Entry: e))).DistinctBy(c => c.Workload);

    /// <summary><c>traefik:v2.11</c>: its rules were others.</summary>
    private static bool IsOld(Workload workload) => workload.Containers.Any(c => EntryNames.OfImage(c.Image) == EntryKind.Traefik && MajorOf(c.Image) is 1 or 2);

    private static int? MajorOf(string image)
    {
        var tag = image[(image.LastIndexOf(':') + 1)..].TrimStart('v');
        var end = tag.AsSpan().IndexOfAnyExceptInRange('0', '9');
        return int.TryParse(end < 0 ? tag : tag[..end], out var major) ? major : null;
    }
}
