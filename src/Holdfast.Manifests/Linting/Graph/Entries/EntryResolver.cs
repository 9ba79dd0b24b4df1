using Holdfast.Manifests.Linting.Graph.Routes;

namespace Holdfast.Manifests.Linting.Graph.Entries;

/// <summary>Finds what serves each route, and the pods, Services and settings behind that.</summary>
internal sealed class EntryResolver(ObjectIndex objects, IReadOnlyList<Workload> workloads)
{
    private const string ClassAnnotation = "kubernetes.io/ingress.class";
    private const string DefaultClass = "ingressclass.kubernetes.io/is-default-class";

    /// <summary>Parents of a route in Gateway API: 32 at most; an Istio rule has a handful.</summary>
    private const int MaxParents = 32;

    private readonly Dictionary<(string Kind, string Namespace, string Name), Entry> _entries = [];
    private readonly Dictionary<KubernetesObject, List<Entry>> _ofObjects = [];
    private ILookup<EntryKind, Workload>? _controllers;

    public IReadOnlyCollection<Entry> Entries => _entries.Values;

    public void Resolve(IReadOnlyList<Route> routes)
    {
        // A class or Gateway without routes still has rules of its own.
        foreach (var item in objects.OfKind("IngressClass"))
            OfClass(item.Name, item, near: item);
        foreach (var item in objects.OfKind("Gateway"))
            OfGateway(item);
        foreach (var route in routes)
        {
            if (!_ofObjects.TryGetValue(route.Object, out var entries))
                _ofObjects.Add(route.Object, entries = [.. Find(route.Object).Distinct()]);
            route.Entries = entries;
            foreach (var entry in entries)
                entry.Routes.Add(route);
        }
    }

    private IEnumerable<Entry> Find(KubernetesObject item) => item.Kind switch
    {
        "Ingress" => [OfIngress(item)],
        "IngressRoute" => [Named(EntryKind.Traefik, "", item)],
        "HTTPProxy" => [Named(EntryKind.Contour, item.Spec?["ingressClassName"]?.AsText ?? "", item)],
        "Route" => [Named(EntryKind.OpenShiftRouter, "", item)],
        "VirtualService" => OfVirtualService(item),
        _ => OfParents(item),
    };

    private Entry OfIngress(KubernetesObject ingress)
    {
        var name = ingress.Spec?["ingressClassName"]?.AsText ?? ingress.Annotation(ClassAnnotation)?.AsText;
        var item = name is null
            ? objects.OfKind("IngressClass").FirstOrDefault(c => c.Annotation(DefaultClass) is { Text: "true" })
            : objects.Find("IngressClass", "", name, ingress);
        if (item is not null)
            return OfClass(item.Name, item, ingress);

        name ??= "";
        var kind = EntryNames.OfClass(name);
        if (kind == EntryKind.Unknown)
            kind = EntryNames.OfAnnotations(ingress.Annotations);
        // Both nginx controllers call their class so; most by far are ingress-nginx.
        if (kind == EntryKind.Unknown && name.Contains("nginx", StringComparison.Ordinal))
            kind = EntryKind.IngressNginx;
        return Named(kind, name, ingress);
    }

    private Entry OfClass(string name, KubernetesObject item, KubernetesObject near)
    {
        if (_entries.TryGetValue(("IngressClass", "", name), out var known))
            return known;
        var kind = EntryNames.OfController(item.Spec?["controller"]?.AsText);
        return Add(("IngressClass", "", name), new Entry { Kind = kind, Name = name, Object = item, Class = item }, near);
    }

    /// <summary>A class that is not among the manifests; the same name may mean another controller on another Ingress.</summary>
    private Entry Named(EntryKind kind, string name, KubernetesObject near) =>
        _entries.TryGetValue((kind.ToString(), "", name), out var known) ? known : Add((kind.ToString(), "", name), new Entry { Kind = kind, Name = name }, near);

    private IEnumerable<Entry> OfVirtualService(KubernetesObject item)
    {
        foreach (var gateway in (item.Spec?["gateways"]?.Items ?? []).Take(MaxParents))
        {
            if (gateway.AsText is not { } text || text == "mesh")
                continue;
            var slash = text.IndexOf('/', StringComparison.Ordinal);
            var (ns, name) = slash < 0 ? (item.Namespace, text) : (text[..slash], text[(slash + 1)..]);
            yield return OfGateway(ns, name, IstioRoutes.Group, item);
        }
    }

    private IEnumerable<Entry> OfParents(KubernetesObject item)
    {
        foreach (var parent in (item.Spec?["parentRefs"]?.Items ?? []).Take(MaxParents))
        {
            if (parent["kind"]?.AsText is null or "Gateway" && parent["name"]?.AsText is { } name)
                yield return OfGateway(parent["namespace"]?.AsText ?? item.Namespace, name, GatewayApiRoutes.Group, item);
        }
    }

    private Entry OfGateway(string ns, string name, string group, KubernetesObject near)
    {
        var found = objects.Find("Gateway", ns, name, near);
        if (found is not null && found.Group == group)
            return OfGateway(found);
        var kind = group == IstioRoutes.Group ? EntryKind.Istio : EntryKind.Unknown;
        return _entries.TryGetValue((group, ns, name), out var known) ? known : Add((group, ns, name), new Entry { Kind = kind, Name = name }, near);
    }

    private Entry OfGateway(KubernetesObject item)
    {
        if (_entries.TryGetValue((item.Group, item.Namespace, item.Name), out var known))
            return known;
        if (item.Group == IstioRoutes.Group)
            return Add((item.Group, item.Namespace, item.Name), new Entry { Kind = EntryKind.Istio, Name = item.Name, Object = item }, item);
        var className = item.Spec?["gatewayClassName"]?.AsText ?? "";
        var gatewayClass = objects.Find("GatewayClass", "", className, item);
        var kind = EntryNames.OfController(gatewayClass?.Spec?["controllerName"]?.AsText);
        if (kind == EntryKind.Unknown)
            kind = className == "nginx" ? EntryKind.NginxGatewayFabric : EntryNames.OfClass(className);
        return Add((item.Group, item.Namespace, item.Name), new Entry { Kind = kind, Name = item.Name, Object = item, Class = gatewayClass }, item);
    }

    private Entry Add((string, string, string) key, Entry entry, KubernetesObject near)
    {
        _entries.Add(key, entry);
        var candidates = ControllersOf(entry).ToList();
        entry.Controllers.AddRange(ObjectIndex.NearestOfEach(candidates, w => w.Object, near));
        entry.Services.AddRange(entry.Controllers.SelectMany(c => c.Services).Distinct());
        if (entry.Kind == EntryKind.IngressNginx)
            entry.Config = entry.Controllers.Select(ConfigOf).FirstOrDefault(c => c is not null);
        return entry;
    }

    private IEnumerable<Workload> ControllersOf(Entry entry)
    {
        if (entry is { Kind: EntryKind.Istio, Object: { Group: IstioRoutes.Group, Spec: { } spec } })
            return workloads.Where(w => LabelSelector.MatchesMap(spec["selector"], w.PodLabels));
        _controllers ??= workloads.SelectMany(w => w.Containers.Select(c => (Kind: EntryNames.OfImage(c.Image), Workload: w)))
            .Where(c => c.Kind != EntryKind.Unknown).Distinct().ToLookup(c => c.Kind, c => c.Workload);
        var ofKind = _controllers[entry.Kind].ToList();
        if (entry.Kind != EntryKind.IngressNginx || ofKind.Count < 2)
            return ofKind;
        // Several controllers share a cluster by taking different classes.
        var controller = entry.Class?.Spec?["controller"]?.AsText;
        var mine = ofKind.Where(w => w.Containers.Any(c => controller is not null && c.Argument("--controller-class") == controller || c.Argument("--ingress-class") == entry.Name)).ToList();
        return mine.Count > 0 ? mine : ofKind;
    }

    private KubernetesObject? ConfigOf(Workload controller)
    {
        var argument = controller.Containers.Select(c => c.Argument("--configmap")).FirstOrDefault(a => a is not null);
        if (argument is null)
            return null;
        var slash = argument.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
            return null;
        var ns = argument[..slash] is "$(POD_NAMESPACE)" ? controller.Object.Namespace : argument[..slash];
        return objects.Find("ConfigMap", ns, argument[(slash + 1)..], controller.Object);
    }
}
