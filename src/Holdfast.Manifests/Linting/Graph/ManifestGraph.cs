using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Graph.Routes;
using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>
/// The objects of all manifests, resolved into the ways that connections take: entry -> route -> Service -> workload, with the autoscalers,
/// budgets and policies of each. Built once; rules only read it.
/// </summary>
internal sealed class ManifestGraph
{
    public ManifestGraph(IEnumerable<ManifestDocument> documents, LintSettings settings)
    {
        All = [.. documents.Select(d => new KubernetesObject(d))];
        Objects = new ObjectIndex(All);
        Workloads = [.. All.Select(Workload.From).OfType<Workload>()];
        Services = [.. Objects.OfKind("Service", "").Select(s => new Service(s))];
        Routes =
        [
            .. IngressRoutes.Read(Objects), .. GatewayApiRoutes.Read(Objects), .. IstioRoutes.Read(Objects), .. TraefikRoutes.Read(Objects), .. ContourRoutes.Read(Objects),
        ];
        new GraphLinks(Objects, Workloads, Services).Resolve(Routes);
        var entries = new EntryResolver(Objects, Workloads);
        entries.Resolve(Routes);
        Entries = entries.Entries;
        new Recognition(settings).Apply(Workloads, Services, Routes);
    }

    public IReadOnlyList<KubernetesObject> All { get; }

    public ObjectIndex Objects { get; }

    public IReadOnlyList<Workload> Workloads { get; }

    public IReadOnlyList<Service> Services { get; }

    public IReadOnlyList<Route> Routes { get; }

    public IReadOnlyCollection<Entry> Entries { get; }
}
