using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Settings;

namespace Holdfast.Manifests.Linting.Graph.Signs;

/// <summary>
/// Decides which workloads, Services and routes carry WebSockets. A sign spreads along the way of a connection, but where a neighbour has a sign of
/// its own (one of two routes to a Service says <c>/ws</c>, one of two Services names its port <c>ws</c>) the other is taken for plain HTTP.
/// </summary>
internal sealed class Recognition(LintSettings settings)
{
    /// <summary>More would make no finding clearer.</summary>
    private const int MaxSigns = 8;

    private readonly HashSet<string> _named = settings.WebSocket.ToHashSet(StringComparer.Ordinal);
    private readonly HashSet<string> _denied = settings.NotWebSocket.ToHashSet(StringComparer.Ordinal);

    public void Apply(IReadOnlyList<Workload> workloads, IReadOnlyList<Service> services, IReadOnlyList<Route> routes)
    {
        var ofWorkloads = workloads.ToDictionary(w => w, OwnSigns);
        var ofServices = services.ToDictionary(s => s, OwnSigns);

        foreach (var group in routes.GroupBy(r => (r.Service, r.Host, r.ServiceNamespace, r.ServiceName)))
        {
            var anyOwn = group.Any(r => r.OwnSigns.Count > 0);
            foreach (var route in group)
                route.Signs = IsDenied(route) || anyOwn && route.OwnSigns.Count == 0 ? [] : SignsOf(route, ofServices, ofWorkloads);
        }

        foreach (var workload in workloads)
        {
            if (IsDenied(workload))
                continue;
            var signed = workload.Services.Where(s => !IsDenied(s)).ToList();
            var telling = signed.Where(s => ofServices[s].Count > 0 || s.Routes.Any(r => r.OwnSigns.Count > 0 && r.IsWebSocket)).ToList();
            workload.Signs = Join(ofWorkloads[workload], telling.SelectMany(s => ofServices[s].Concat(s.Routes.Where(r => r.IsWebSocket).SelectMany(r => r.OwnSigns))));
            foreach (var service in telling.Count > 0 ? telling : signed)
                service.Signs = Join(service.Signs, ofServices[service], workload.Signs);
        }

        // Services whose pods are not among the manifests.
        foreach (var service in services.Where(s => s.Workloads.Count == 0 && !IsDenied(s)))
            service.Signs = Join(ofServices[service], service.Routes.Where(r => r.IsWebSocket).SelectMany(r => r.OwnSigns));
        SetPings(workloads, services, routes);
    }

    /// <summary>The nearest declaration counts: pods, then their Services, then the route; a Service in front of several waits for the slowest.</summary>
    private void SetPings(IReadOnlyList<Workload> workloads, IReadOnlyList<Service> services, IReadOnlyList<Route> routes)
    {
        var assumed = settings.Assume.PingInterval is { } interval ? new PingInterval(interval, IsDeclared: false, null) : PingInterval.Unknown;
        foreach (var workload in workloads)
        {
            workload.Ping = Declared(workload.Annotation(PingInterval.Annotation))
                ?? workload.Services.Select(s => Declared(s.Object.Annotation(PingInterval.Annotation))).FirstOrDefault(p => p is not null) ?? assumed;
        }

        foreach (var service in services)
            service.Ping = service.Workloads.Select(w => w.Ping).MaxBy(p => p.RequiredIdle) ?? Declared(service.Object.Annotation(PingInterval.Annotation)) ?? assumed;
        foreach (var route in routes)
        {
            var own = Declared(route.Object.Annotation(PingInterval.Annotation)) ?? assumed;
            route.Ping = route.Service is { Ping.IsDeclared: true } service ? service.Ping : own;
        }
    }

    private static List<Sign> SignsOf(Route route, Dictionary<Service, List<Sign>> ofServices, Dictionary<Workload, List<Sign>> ofWorkloads)
    {
        if (route.Service is not { } service)
            return [.. route.OwnSigns];
        // A sign of another port says nothing about this one.
        var port = service.Port(route.ServicePort);
        var fromService = ofServices[service].Where(s => s.At is null || port is null || service.Ports.All(p => p == port || !Holds(p.Node, s.At)));
        return Join(route.OwnSigns, fromService, service.Workloads.SelectMany(w => ofWorkloads[w]));
    }

    private static bool Holds(Node node, Node inner) => ReferenceEquals(node.Source, inner.Source) && node.Start <= inner.Start && inner.End <= node.End;

    private List<Sign> OwnSigns(Workload workload)
    {
        var signs = new List<Sign>();
        AddNamed(signs, workload.Object);
        if (workload.Annotation(Sign.Annotation) is { Text: "true" } said)
            signs.Add(new Sign(true, $"{workload} says {Sign.Annotation}: \"true\"", said));
        if (LikelyWords.IsObjectName(workload.Object.Name))
            signs.Add(new Sign(false, $"{workload} is named so", workload.Object.Root.At("metadata", "name")));
        foreach (var container in workload.Containers)
        {
            foreach (var port in container.Node["ports"]?.Items ?? [])
            {
                if (port["name"] is { } name && LikelyWords.IsPortName(name.Text))
                    signs.Add(new Sign(false, $"{workload} has a port named {name.Text}", name));
            }

            foreach (var variable in container.Node["env"]?.Items ?? [])
            {
                if (variable["name"] is { } name && LikelyWords.IsVariable(name.Text))
                    signs.Add(new Sign(false, $"{workload} has the variable {name.Text}", name));
            }
        }

        return Join(signs);
    }

    private List<Sign> OwnSigns(Service service)
    {
        var signs = new List<Sign>();
        AddNamed(signs, service.Object);
        if (service.Object.Annotation(Sign.Annotation) is { Text: "true" } said)
            signs.Add(new Sign(true, $"{service} says {Sign.Annotation}: \"true\"", said));
        if (LikelyWords.IsObjectName(service.Object.Name))
            signs.Add(new Sign(false, $"{service} is named so", service.Object.Root.At("metadata", "name")));
        foreach (var port in service.Ports)
        {
            if (port.AppProtocol is { Text: "kubernetes.io/ws" or "kubernetes.io/wss" or "ws" or "wss" } protocol)
                signs.Add(new Sign(true, $"port {port.Number} of {service} has appProtocol {protocol.Text}", protocol));
            else if (LikelyWords.IsPortName(port.Name))
                signs.Add(new Sign(false, $"{service} has a port named {port.Name}", port.Node["name"]));
        }

        return Join(signs);
    }

    private void AddNamed(List<Sign> signs, KubernetesObject item)
    {
        if (_named.Contains(item.Namespace + "/" + item.Name))
            signs.Add(new Sign(true, $"{item.Namespace}/{item.Name} was named on the command line or in the configuration", null));
    }

    private bool IsDenied(Route route) => Denies(route.Object.Annotation(Sign.Annotation))
        || route.Service is { } service && (IsDenied(service) || service.Workloads.Count > 0 && service.Workloads.All(IsDenied));

    private bool IsDenied(Service service) => Denies(service.Object.Annotation(Sign.Annotation)) || _denied.Contains(service.Object.Namespace + "/" + service.Object.Name);

    private bool IsDenied(Workload workload) => Denies(workload.Annotation(Sign.Annotation)) || _denied.Contains(workload.Object.Namespace + "/" + workload.Object.Name);

    private static bool Denies(Node? annotation) => annotation is { Text: "false" };

    private static PingInterval? Declared(Node? annotation) =>
        Durations.Parse(annotation?.AsText) is { Ticks: > 0 } interval ? new PingInterval(interval, IsDeclared: true, annotation) : null;

    /// <summary>Declared ones first: a finding shows the first.</summary>
    private static List<Sign> Join(params IEnumerable<Sign>[] lists) =>
        [.. lists.SelectMany(l => l).DistinctBy(s => s.Text, StringComparer.Ordinal).OrderByDescending(s => s.IsDeclared).Take(MaxSigns)];
}
