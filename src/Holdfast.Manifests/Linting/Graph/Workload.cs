using Holdfast.Manifests.Linting.Graph.Signs;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>
/// What runs pods: Deployment, StatefulSet, DaemonSet, ReplicaSet, a bare Pod, or another kind of the same shape (Argo Rollout, OpenKruise
/// CloneSet). Jobs are none: they serve nobody.
/// </summary>
internal sealed class Workload
{
    private static readonly string[] NotServing = ["Job", "CronJob"];

    private Workload(KubernetesObject item, Node? podMetadata, Node podSpec)
    {
        (Object, PodMetadata, PodSpec) = (item, podMetadata, podSpec);
        Containers = [.. (podSpec["containers"]?.Items ?? []).Select(c => new Container(c))];
        InitContainers = [.. (podSpec["initContainers"]?.Items ?? []).Select(c => new Container(c))];
    }

    public KubernetesObject Object { get; }

    /// <summary>The pods' metadata: the template's, or a Pod's own.</summary>
    public Node? PodMetadata { get; }

    public Node PodSpec { get; }

    public IReadOnlyList<Container> Containers { get; }

    public IReadOnlyList<Container> InitContainers { get; }

    /// <summary>Containers that clients reach: those that declare ports, else the first.</summary>
    public IEnumerable<Container> Serving => Containers.Any(c => c.HasPorts) ? Containers.Where(c => c.HasPorts) : Containers.Take(1);

    public Node? PodLabels => PodMetadata?["labels"];

    public Node? PodAnnotations => PodMetadata?["annotations"];

    /// <summary>Null: not written, which means 1 unless an autoscaler says otherwise.</summary>
    public Node? Replicas => Object.Spec?["replicas"];

    /// <summary>Something written keeps its pods apart, on nodes or in zones.</summary>
    public bool IsSpread => PodSpec["topologySpreadConstraints"] is { Items.Count: > 0 } || PodSpec.At("affinity", "podAntiAffinity") is not null;

    /// <summary>Services that select its pods.</summary>
    public List<Service> Services { get; } = [];

    /// <summary>HorizontalPodAutoscalers, KEDA ScaledObjects and VerticalPodAutoscalers that target it.</summary>
    public List<KubernetesObject> Autoscalers { get; } = [];

    /// <summary>PodDisruptionBudgets that select its pods.</summary>
    public List<KubernetesObject> DisruptionBudgets { get; } = [];

    /// <summary>NetworkPolicies that select its pods.</summary>
    public List<KubernetesObject> NetworkPolicies { get; } = [];

    /// <summary>Why it is taken for a WebSocket workload: its own signs, then those of its Services and of the routes to them. Empty: it is not.</summary>
    public IReadOnlyList<Sign> Signs { get; set; } = [];

    public bool IsWebSocket => Signs.Count > 0;

    public PingInterval Ping { get; set; } = PingInterval.Unknown;

    /// <summary>The workload's own annotation or that of its pods.</summary>
    public Node? Annotation(string key) => Object.Annotation(key) ?? PodAnnotations?[key];

    public static Workload? From(KubernetesObject item)
    {
        // A chart's test pods come and go with the tests.
        if (NotServing.Contains(item.Kind, StringComparer.Ordinal) || item.Annotation("helm.sh/hook") is not null)
            return null;
        if (item is { Kind: "Pod", Group: "" })
            return item.Spec is { Kind: NodeKind.Mapping } own ? new Workload(item, item.Root["metadata"], own) : null;
        var template = item.Spec?["template"];
        return template?["spec"] is { Kind: NodeKind.Mapping } spec && spec["containers"] is { Kind: NodeKind.Sequence } ? new Workload(item, template["metadata"], spec) : null;
    }

    public override string ToString() => Object.ToString();
}

/// <summary>One container of a pod.</summary>
internal sealed class Container(Node node)
{
    public Node Node { get; } = node;

    public string Name => Node["name"]?.AsText ?? "";

    public string Image => Node["image"]?.AsText ?? "";

    public bool HasPorts => Node["ports"] is { Items.Count: > 0 };

    /// <summary>The command's words, then the arguments'.</summary>
    public IEnumerable<Node> CommandLine => (Node["command"]?.Items ?? []).Concat(Node["args"]?.Items ?? []).Where(n => n.Kind == NodeKind.Scalar);

    /// <summary>The value of <c>--name=value</c> among the arguments, or of the word after <c>--name</c>.</summary>
    public string? Argument(string name)
    {
        var takeNext = false;
        foreach (var word in CommandLine)
        {
            if (takeNext)
                return word.Text;
            if (word.Text.StartsWith(name, StringComparison.Ordinal) && word.Text.AsSpan(name.Length) is ['=', .. var value])
                return value.ToString();
            takeNext = word.Text == name;
        }

        return null;
    }
}
