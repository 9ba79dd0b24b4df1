using System.Globalization;
using Holdfast.Manifests.Linting.Graph.Entries;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Hops;

/// <summary>The idle time-out of an ALB in effect.</summary>
/// <param name="Object">Where it stands, or would be set.</param>
/// <param name="At">Null: nothing is set. Otherwise the annotation with the list of attributes, or the one value.</param>
internal sealed record AlbTimeout(TimeSpan Value, KubernetesObject Object, Node? At)
{
    public const string Attribute = "idle_timeout.timeout_seconds";
    public const string Annotation = "alb.ingress.kubernetes.io/load-balancer-attributes";

    public static readonly TimeSpan Default = TimeSpan.FromSeconds(60);

    /// <summary>What AWS takes at most.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(4000);
}

/// <summary>
/// Finds the idle time-out of the ALB behind an Ingress or a Gateway. An ALB may belong to several Ingresses, and its attributes may stand at the
/// class: IngressClassParams win over the annotations of Ingresses, any Ingress of a group speaks for the whole group, and a Gateway or its class
/// names a LoadBalancerConfiguration.
/// </summary>
internal sealed class AlbTimeouts(ObjectIndex objects)
{
    private const string GroupAnnotation = "alb.ingress.kubernetes.io/group.name";

    private ILookup<string, KubernetesObject>? _groups;

    public AlbTimeout Of(Entry entry, KubernetesObject route) => route.Kind == "Ingress" ? OfIngress(entry, route) : OfGateway(entry, route);

    private AlbTimeout OfIngress(Entry entry, KubernetesObject ingress)
    {
        if (ClassParameters(entry) is { } parameters && InConfiguration(parameters) is { } fixedByClass)
            return fixedByClass;
        if (InAnnotation(ingress) is { } own)
            return own;
        _groups ??= objects.OfKind("Ingress").Where(i => i.Annotation(GroupAnnotation) is not null && InAnnotation(i) is not null).ToLookup(i => i.Annotation(GroupAnnotation)!.Text, StringComparer.Ordinal);
        var other = ingress.Annotation(GroupAnnotation)?.AsText is { } group ? _groups[group].FirstOrDefault() : null;
        return (other is null ? null : InAnnotation(other)) ?? new AlbTimeout(AlbTimeout.Default, ingress, null);
    }

    private AlbTimeout OfGateway(Entry entry, KubernetesObject route)
    {
        var configurations = Configurations(entry);
        return configurations.Select(InConfiguration).FirstOrDefault(t => t is not null)
            ?? new AlbTimeout(AlbTimeout.Default, configurations.FirstOrDefault() ?? entry.Object ?? route, null);
    }

    private static AlbTimeout? InAnnotation(KubernetesObject ingress) =>
        ingress.Annotation(AlbTimeout.Annotation) is { } at && Seconds(AwsAttributes.Get(at.Text, AlbTimeout.Attribute)) is { } value ? new AlbTimeout(value, ingress, at) : null;

    private static AlbTimeout? InConfiguration(KubernetesObject configuration)
    {
        foreach (var attribute in configuration.Spec?["loadBalancerAttributes"]?.Items ?? [])
        {
            if (attribute["key"]?.AsText == AlbTimeout.Attribute && Seconds(attribute["value"]?.AsText) is { } value)
                return new AlbTimeout(value, configuration, attribute["value"]);
        }

        return null;
    }

    private static TimeSpan? Seconds(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) ? TimeSpan.FromSeconds(seconds) : null;

    private KubernetesObject? ClassParameters(Entry entry) =>
        entry.Class is { } type && type.Spec?["parameters"] is { } reference && reference["kind"]?.AsText == "IngressClassParams" && reference["name"]?.AsText is { } name
            ? objects.Find("IngressClassParams", "", name, type)
            : null;

    private List<KubernetesObject> Configurations(Entry entry)
    {
        var found = new List<KubernetesObject>();
        if (entry.Object is { } gateway)
            Add(gateway, gateway.Spec?.At("infrastructure", "parametersRef"), gateway.Namespace);
        if (entry.Class is { } type)
            Add(type, type.Spec?["parametersRef"], null);
        return found;

        void Add(KubernetesObject from, Node? reference, string? ns)
        {
            if (reference?["kind"]?.AsText == "LoadBalancerConfiguration" && reference["name"]?.AsText is { } name
                && objects.Find("LoadBalancerConfiguration", ns ?? reference["namespace"]?.AsText ?? KubernetesObject.DefaultNamespace, name, from) is { } configuration)
            {
                found.Add(configuration);
            }
        }
    }
}
