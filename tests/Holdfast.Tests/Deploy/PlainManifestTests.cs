using System.Globalization;
using System.Xml.Linq;
using Holdfast.Api.Configuration;
using Holdfast.Testing.Manifests;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Tests.Deploy;

/// <summary>What no schema says: the parts of <c>deploy/plain/gateway.yaml</c> fit each other, the gateway, and the restricted Pod Security Standard.</summary>
public sealed class PlainManifestTests
{
    /// <summary>For the answers to the last closes, which the gateway waits 6 s for, and the end of a busy process.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(20);

    private static readonly IReadOnlyList<Manifest> Objects = Manifest.OfRepository("deploy/plain/gateway.yaml");
    private static readonly YamlNode Pod = Only("Deployment").Find("spec", "template", "spec")!;
    private static readonly YamlNode Container = Assert.Single(Pod.Items("containers"));

    private static GatewayConfiguration Configuration
    {
        get
        {
            var read = ConfigurationReader.Read(Only("ConfigMap").Text("data", "gateway.yaml"), "gateway.yaml");
            Assert.Empty(read.Faults);
            return read.Configuration!;
        }
    }

    private static IReadOnlyDictionary<string, string> PodLabels => Only("Deployment").Root.Texts("spec", "template", "metadata", "labels");

    [Fact]
    public void It_asks_for_no_permission_and_no_custom_resource() =>
        Assert.Equal(["ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"], Objects.Select(o => o.Kind));

    [Fact]
    public void The_grace_period_is_the_gateways_own_drain_and_a_margin() =>
        Assert.Equal(
            Configuration.Shutdown.Delay + Configuration.Shutdown.Duration + Margin,
            TimeSpan.FromSeconds(int.Parse(Pod.Text("terminationGracePeriodSeconds"), CultureInfo.InvariantCulture)));

    [Fact]
    public void The_gateway_gets_all_of_its_drain_before_the_cluster_autoscaler_loses_patience() =>
        Assert.InRange(int.Parse(Pod.Text("terminationGracePeriodSeconds"), CultureInfo.InvariantCulture), 1, 600);

    [Fact]
    public void A_rollout_never_takes_a_gateway_before_its_replacement_is_there()
    {
        var spec = Only("Deployment").Find("spec")!;
        Assert.Equal("2", spec.Text("replicas"));
        Assert.Equal(("0", "1"), (spec.Text("strategy", "rollingUpdate", "maxUnavailable"), spec.Text("strategy", "rollingUpdate", "maxSurge")));
        Assert.Equal(["kubernetes.io/hostname", "topology.kubernetes.io/zone"], Pod.Items("topologySpreadConstraints").Select(c => c.Text("topologyKey")));
    }

    [Fact]
    public void Its_pods_meet_the_restricted_standard_with_a_read_only_root()
    {
        Assert.Equal("true", Pod.Text("securityContext", "runAsNonRoot"));
        Assert.Equal(("64198", "64198"), (Pod.Text("securityContext", "runAsUser"), Pod.Text("securityContext", "runAsGroup")));
        Assert.Equal("RuntimeDefault", Pod.Text("securityContext", "seccompProfile", "type"));
        Assert.Equal("false", Container.Text("securityContext", "allowPrivilegeEscalation"));
        Assert.Equal("true", Container.Text("securityContext", "readOnlyRootFilesystem"));
        Assert.Equal(["ALL"], Container.Items("securityContext", "capabilities", "drop").Select(c => c.ToString()));
        Assert.Null(Container.Find("securityContext", "capabilities", "add"));
        Assert.Equal("false", Pod.Text("automountServiceAccountToken"));
        Assert.All((string[])["hostNetwork", "hostPID", "hostIPC"], key => Assert.Null(Pod.Find(key)));
        Assert.All(Pod.Items("volumes"), v => Assert.True(v.Find("configMap") is not null || v.Find("secret") is not null));
        Assert.All(Container.Items("ports"), p => Assert.Null(p.Find("hostPort")));
    }

    [Fact]
    public void Its_ports_are_the_ones_that_the_gateway_listens_on()
    {
        Assert.Equal(
            [("web", Assert.Single(Configuration.Listeners).Address.Port), ("admin", Configuration.Admin.Address.Port)],
            Container.Items("ports").Select(p => (p.Text("name"), int.Parse(p.Text("containerPort"), CultureInfo.InvariantCulture))));
        Assert.Equal("web", Assert.Single(Only("Service").Root.Items("spec", "ports")).Text("targetPort"));
        var policy = Only("NetworkPolicy").Root;
        Assert.Equal(["web", "admin"], policy.Items("spec", "ingress").Select(r => r.Text("ports", 0, "port")));
        // Everybody may be a client; nobody else may reach the admin port.
        Assert.Null(policy.Find("spec", "ingress", 0, "from"));
        Assert.NotEmpty(policy.Items("spec", "ingress", 1, "from"));
    }

    [Fact]
    public void It_may_reach_the_application_and_DNS()
    {
        var dns = Configuration.Backends.Single().Dns!;
        var egress = Only("NetworkPolicy").Root.Items("spec", "egress");
        Assert.Equal(["UDP/53", "TCP/53"], egress[0].Items("ports").Select(p => p.Text("protocol") + "/" + p.Text("port")));
        Assert.Equal(dns.Port, int.Parse(egress[1].Text("ports", 0, "port"), CultureInfo.InvariantCulture));
        Assert.Equal(dns.Name, egress[1].Text("to", 0, "podSelector", "matchLabels", "app.kubernetes.io/name"));
    }

    [Fact]
    public void Probes_ask_the_admin_port_and_liveness_is_lenient()
    {
        foreach (var (probe, path) in ((string, string)[])[("startupProbe", "/health/live"), ("livenessProbe", "/health/live"), ("readinessProbe", "/health/ready")])
            Assert.Equal((path, "admin"), (Container.Text(probe, "httpGet", "path"), Container.Text(probe, "httpGet", "port")));
        Assert.InRange(Number("livenessProbe", "periodSeconds") * Number("livenessProbe", "failureThreshold"), 60, 600);
        // The kubelet asks from the node.
        Assert.Equal("0.0.0.0", Configuration.Admin.Address.Address.ToString());
    }

    [Fact]
    public void What_is_mounted_is_what_the_gateway_is_told_to_read()
    {
        var mounts = Container.Items("volumeMounts").ToDictionary(m => m.Text("name"), m => m.Text("mountPath"), StringComparer.Ordinal);
        Assert.Equal(Pod.Items("volumes").Select(v => v.Text("name")).Order(StringComparer.Ordinal), mounts.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(Only("ConfigMap").Name, Volume("config").Text("configMap", "name"));
        Assert.Equal(["gateway", "--config", mounts["config"] + "/gateway.yaml"], Container.Items("args").Select(a => a.ToString()));
        Assert.Equal(mounts["admin-token"] + "/token", Configuration.Admin.TokenFile);
        // A file mounted by subPath would never change.
        Assert.All(Container.Items("volumeMounts"), m => Assert.Null(m.Find("subPath")));
        // Readable for the gateway's group, by fsGroup, and nobody else.
        Assert.Equal(Pod.Text("securityContext", "runAsGroup"), Pod.Text("securityContext", "fsGroup"));
        Assert.Equal(0b100_100_000, YamlValue.IntegerOf((YamlScalarNode)Volume("admin-token").Find("secret", "defaultMode")!));
        // The file applies before anybody has made the Secret.
        Assert.Equal("true", Volume("admin-token").Text("secret", "optional"));

        static YamlNode Volume(string name) => Pod.Items("volumes").Single(v => v.Text("name") == name);
    }

    [Fact]
    public void Every_selector_selects_the_gateways_pods_and_outlives_a_version()
    {
        IReadOnlyDictionary<string, string>[] selectors =
        [
            Only("Deployment").Root.Texts("spec", "selector", "matchLabels"),
            Only("Service").Root.Texts("spec", "selector"),
            Only("PodDisruptionBudget").Root.Texts("spec", "selector", "matchLabels"),
            Only("NetworkPolicy").Root.Texts("spec", "podSelector", "matchLabels"),
            .. Pod.Items("topologySpreadConstraints").Select(c => c.Texts("labelSelector", "matchLabels")),
        ];
        Assert.All(selectors, s => Assert.Equal(["app.kubernetes.io/name", "app.kubernetes.io/instance"], s.Keys));
        Assert.All(selectors, s => Assert.Subset(PodLabels.ToHashSet(), s.ToHashSet()));
    }

    [Fact]
    public void Every_object_carries_the_standard_labels_and_the_version_that_is_built()
    {
        Assert.All(Objects, o => Assert.Equal(PodLabels, o.Root.Texts("metadata", "labels")));
        Assert.Equal(
            ["name", "instance", "component", "part-of", "version", "managed-by"],
            PodLabels.Keys.Select(k => k.Replace("app.kubernetes.io/", "", StringComparison.Ordinal)));
        var version = XDocument.Parse(Repository.Read("Directory.Build.props")).Descendants("Version").Single().Value;
        Assert.Equal(version, PodLabels["app.kubernetes.io/version"]);
        Assert.Equal("holdfast:" + version, Container.Text("image"));
    }

    private static int Number(params object[] path) => int.Parse(Container.Text(path), CultureInfo.InvariantCulture);

    private static Manifest Only(string kind) => Objects.Single(o => o.Kind == kind);
}
