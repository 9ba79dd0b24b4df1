using System.Globalization;
using System.Text.RegularExpressions;
using Holdfast.Api.Configuration;
using Holdfast.Testing;
using Holdfast.Testing.Manifests;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Tests.Deploy;

/// <summary>The application of the quick starts fits the gateway before it: its names, and above all its times.</summary>
public sealed partial class PlainApplicationTests
{
    /// <summary>Until a gateway has learnt that an address has left: a DNS cache of 30 s (kubeadm's CoreDNS and the node's cache), then its own look-up.</summary>
    private static readonly TimeSpan DnsCache = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(5);

    private static readonly IReadOnlyList<Manifest> Objects = Manifest.OfRepository("deploy/plain/app.yaml");
    private static readonly YamlNode Pod = Only("Deployment").Find("spec", "template", "spec")!;

    private static readonly BackendOptions Backend = BackendOf(
        Manifest.OfRepository("deploy/plain/gateway.yaml").Single(m => m.Kind == "ConfigMap").Text("data", "gateway.yaml"));

    public static TheoryData<string> QuickStarts() => ["docs/quick-start-node.md", "docs/quick-start-python.md", "docs/quick-start-dotnet.md"];

    [Fact]
    public void A_pod_lives_until_the_gateway_has_drained_it() =>
        Assert.Equal(DnsCache + Backend.Dns!.Interval + Backend.Dns.Grace + Backend.Drain.Delay + Backend.Drain.Duration + Margin, Grace);

    [Fact]
    public void SIGTERM_comes_while_there_is_time_left() =>
        Assert.InRange(TimeSpan.FromSeconds(Number(Pod, "containers", 0, "lifecycle", "preStop", "sleep", "seconds")), TimeSpan.FromSeconds(1), Grace / 2);

    [Fact]
    public void The_gateway_finds_it_by_a_headless_Service_of_ready_pods()
    {
        var service = Only("Service");
        Assert.Equal("None", service.Text("spec", "clusterIP"));
        Assert.Null(service.Find("spec", "publishNotReadyAddresses"));
        Assert.Equal((Backend.Dns!.Name, Backend.Dns.Port), (service.Name, Number(service.Root, "spec", "ports", 0, "port")));
        // Headless: the port is the pods' own.
        Assert.Equal(Backend.Dns.Port, Number(Pod, "containers", 0, "ports", 0, "containerPort"));
        Assert.Equal("/healthz", Pod.Text("containers", 0, "readinessProbe", "httpGet", "path"));
        Assert.Equal(Backend.Dns.Port.ToString(CultureInfo.InvariantCulture), Pod.Items("containers", 0, "env").Single(v => v.Text("name") == "PORT").Text("value"));
    }

    [Fact]
    public void Every_selector_selects_its_pods()
    {
        var labels = Only("Deployment").Root.Texts("spec", "template", "metadata", "labels").ToHashSet();
        Assert.Subset(labels, Only("Deployment").Root.Texts("spec", "selector", "matchLabels").ToHashSet());
        Assert.Subset(labels, Only("Service").Root.Texts("spec", "selector").ToHashSet());
        Assert.Subset(labels, Only("PodDisruptionBudget").Root.Texts("spec", "selector", "matchLabels").ToHashSet());
    }

    [Fact]
    public void Kestrel_waits_for_its_sockets_as_long_as_the_pod_may()
    {
        var shown = ShutdownTimeout().Match(CodeBlock.Only("docs/quick-start-dotnet.md", "csharp").Text).Groups[1].Value;
        Assert.Equal(
            Grace - TimeSpan.FromSeconds(Number(Pod, "containers", 0, "lifecycle", "preStop", "sleep", "seconds")) - Margin,
            TimeSpan.FromSeconds(int.Parse(shown, CultureInfo.InvariantCulture)));
    }

    [Theory]
    [MemberData(nameof(QuickStarts))]
    public void A_quick_start_configures_the_gateway_for_this_application(string page)
    {
        var shown = BackendOf("listeners: [{name: web, address: \"127.0.0.1:0\"}]\n" + CodeBlock.Only(page, "yaml").Text);
        Assert.Equal((Backend.Name, Backend.Dns, Backend.Drain), (shown.Name, shown.Dns, shown.Drain));
        Assert.Equal((HealthCheckKind.Http, Pod.Text("containers", 0, "readinessProbe", "httpGet", "path")), (shown.Health.Check!.Kind, shown.Health.Check.Path));
    }

    [Fact]
    public void A_server_that_cannot_be_changed_sleeps_through_the_drain()
    {
        var (sleep, grace) = Sleep().Match(Repository.Read("docs", "quick-start-python.md")) is { Success: true } match
            ? (int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture))
            : (0, 0);
        Assert.Equal((Grace, Grace - Margin), (TimeSpan.FromSeconds(grace), TimeSpan.FromSeconds(sleep)));
    }

    private static BackendOptions BackendOf(string configuration) => ConfigurationReader.Read(configuration, "gateway.yaml").Configuration!.Backends.Single();

    private static TimeSpan Grace => TimeSpan.FromSeconds(Number(Pod, "terminationGracePeriodSeconds"));

    private static int Number(YamlNode node, params object[] path) => int.Parse(node.Text(path), CultureInfo.InvariantCulture);

    private static Manifest Only(string kind) => Objects.Single(o => o.Kind == kind);

    [GeneratedRegex(@"ShutdownTimeout = TimeSpan\.FromSeconds\((\d+)\)")]
    private static partial Regex ShutdownTimeout();

    [GeneratedRegex(@"a `preStop` sleep of (\d+) s, with\s+`terminationGracePeriodSeconds: (\d+)`")]
    private static partial Regex Sleep();
}
