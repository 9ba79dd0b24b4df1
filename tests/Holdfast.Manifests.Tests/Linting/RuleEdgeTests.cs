using Holdfast.Manifests.Linting;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>Values at the ends of what a field takes, and kinds that only look like others. <see cref="Lint"/> fails where a rule throws.</summary>
public class RuleEdgeTests
{
    private const string Chat = """
        kind: KIND
        metadata: {name: chat, namespace: shop, annotations: {holdfast.dev/websocket: "true", ANNOTATIONS}}
        spec:
          SPEC
          template:
            metadata: {labels: {app: chat}}
            spec: {PODSPEC, containers: [{name: chat, image: acme/chat, CONTAINER}]}

        """;

    [Fact]
    public void The_largest_numbers_are_answered()
    {
        var result = Lint.Text(
            Workload("apps/v1", "StatefulSet", "replicas: 2147483647", "terminationGracePeriodSeconds: 2147483647", "lifecycle: {preStop: {sleep: {seconds: 2147483647}}}", "holdfast.dev/drain: 876000h, holdfast.dev/connections-per-pod: \"2147483647\"")
            + "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: chat, namespace: shop}\nspec: {minAvailable: 2147483647%, selector: {matchLabels: {app: chat}}}\n");
        Assert.Contains(result.Findings, f => f.Rule.Id == "HF-D15");
        Assert.Contains(result.Findings, f => f.Rule.Id == "HF-P02");
        Assert.Contains(result.Findings, f => f.Rule.Id == "HF-D02" && f.Message.Contains("2 s are left", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("apps/v1", "Deployment", true)]
    [InlineData("apps/v1", "DaemonSet", false)]
    [InlineData("argoproj.io/v1alpha1", "Rollout", true)]
    [InlineData("serving.knative.dev/v1", "Service", false)]
    public void One_pod_is_assumed_only_of_kinds_that_have_replicas(string apiVersion, string kind, bool isOne) =>
        Assert.Equal(isOne, Lint.Text(Workload(apiVersion, kind)).Findings.Any(f => f.Rule.Id == "HF-D10"));

    [Theory]
    [InlineData("replicas: 0")]
    [InlineData("replicas: -1")]
    public void What_is_switched_off_is_not_told_to_be_alone(string spec) =>
        Assert.DoesNotContain(Lint.Text(Workload("apps/v1", "Deployment", spec)).Findings, f => f.Rule.Id is "HF-D10" or "HF-D13" or "HF-D09" or "HF-P01");

    [Theory]
    [InlineData("[sh, -c, \"exec server\"]", null)]
    [InlineData("[sh, -c, \"trap 'kill $!' TERM; server & wait\"]", null)]
    [InlineData("[sh, -c, \"/usr/bin/tini -- server\"]", null)]
    [InlineData("[sh, /entrypoint.sh, -c]", null)]
    [InlineData("[server, -c, config]", null)]
    [InlineData("[bash, -c, server]", null)]
    [InlineData("[/bin/sh, -ec, server]", Severity.Warning)]
    [InlineData("[sh, -c, \"server & nginx\"]", Severity.Error)]
    public void A_shell_is_told_where_it_keeps_the_signal(string command, Severity? severity) =>
        Assert.Equal(severity, Lint.Text(Workload("apps/v1", "Deployment", container: "command: " + command)).Findings.FirstOrDefault(f => f.Rule.Id == "HF-D07")?.Severity);

    [Fact]
    public void A_shared_process_namespace_has_another_first_process() =>
        Assert.DoesNotContain(Lint.Text(Workload("apps/v1", "Deployment", podSpec: "shareProcessNamespace: true", container: "command: [sh, -c, server]")).Findings, f => f.Rule.Id == "HF-D07");

    [Theory]
    [InlineData("image: \"registry.example.com/edge/holdfast:0.1.0\", args: [gateway, --config, /etc/holdfast.yaml]", false)]
    [InlineData("image: \"registry.example.com/edge/holdfast:0.1.0\", args: [operator]", true)]
    [InlineData("image: acme/stronghold, args: [gateway]", true)]
    [InlineData("args: [--shutdown-delay-duration=10s]", false)]
    [InlineData("args: [--shutdown-timeout=10s]", true)]
    [InlineData("env: [{name: APP_TERMINATION_WAIT, value: \"10\"}]", false)]
    [InlineData("lifecycle: {preStop: {httpGet: {path: /leave, port: 80}}}", false)]
    [InlineData("lifecycle: {postStart: {httpGet: {path: /warm, port: 80}}}", true)]
    public void What_waits_by_itself_needs_no_hook(string container, bool needsOne) =>
        Assert.Equal(needsOne, Lint.Text(Workload("apps/v1", "Deployment", container: container).Replace("image: acme/chat, image:", "image:", StringComparison.Ordinal)).Findings.Any(f => f.Rule.Id == "HF-D03"));

    [Theory]
    [InlineData("LimitRange", "spec: {limits: [{type: Container, defaultRequest: {memory: 256Mi}}]}", false)]
    [InlineData("LimitRange", "spec: {limits: [{type: Pod, max: {memory: 1Gi}}]}", true)]
    [InlineData("ConfigMap", "data: {}", true)]
    public void Memory_that_the_namespace_gives_is_not_missed(string kind, string rest, bool isMissed)
    {
        var text = Workload("apps/v1", "Deployment") + $"---\napiVersion: v1\nkind: {kind}\nmetadata: {{name: x, namespace: shop}}\n{rest}\n";
        Assert.Equal(isMissed, Lint.Text(text).Findings.Any(f => f.Rule.Id == "HF-R01"));
    }

    [Fact]
    public void The_same_budget_in_two_environments_is_one()
    {
        const string Budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: chat, namespace: shop}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: chat}}}\n";
        var result = Lint.Sources(null, Lint.Source(Workload("apps/v1", "Deployment"), "base/chat.yaml"), Lint.Source(Budget, "prod/pdb.yaml"), Lint.Source(Budget, "test/pdb.yaml"));
        Assert.DoesNotContain(result.Findings, f => f.Rule.Id == "HF-P03");
    }

    private static string Workload(string apiVersion, string kind, string spec = "x: y", string podSpec = "x: y", string container = "x: y", string annotations = "x: y") => $"apiVersion: {apiVersion}\n"
        + Chat.Replace("KIND", kind, StringComparison.Ordinal).Replace("ANNOTATIONS", annotations, StringComparison.Ordinal).Replace("PODSPEC", podSpec, StringComparison.Ordinal)
            .Replace("SPEC", spec, StringComparison.Ordinal).Replace("CONTAINER", container, StringComparison.Ordinal);
}
