using Holdfast.Manifests.Linting;
using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class SuppressionTests
{
    [Theory]
    [InlineData("HF-N02", "no reason given")]
    [InlineData("HF-N02 it pings", "it pings")]
    [InlineData("HF-N05,HF-N02: it pings, often", "it pings, often")]
    [InlineData("HF-N05, hf-n02 it pings", "it pings")]
    [InlineData("nginx-read-timeout it pings", "it pings")]
    public void An_annotation_suppresses_and_keeps_the_reason(string annotation, string reason)
    {
        var result = Lint.Text(Ingress(annotation));
        Assert.DoesNotContain(result.Findings, f => f.Rule.Id == "HF-N02");
        Assert.Equal(new Suppression(reason, IsInSource: true), Assert.Single(result.Suppressed, f => f.Rule.Id == "HF-N02").Suppressed);
        Assert.Empty(result.Problems);
    }

    [Theory]
    [InlineData("HF-N99 because", "HF-N99", false)]
    [InlineData("HF-N02,HF-N99 because", "HF-N99", true)]
    [InlineData("because it pings", "because", false)]
    public void A_name_that_is_no_rule_is_told(string annotation, string word, bool suppressed)
    {
        var result = Lint.Text(Ingress(annotation));
        Assert.Equal(suppressed, result.Findings.All(f => f.Rule.Id != "HF-N02"));
        var problem = Assert.Single(result.Problems);
        Assert.Contains($"'{word}'", problem.Message, StringComparison.Ordinal);
        Assert.Equal((4, false), (problem.Line, problem.IsFault));
    }

    [Theory]
    [InlineData("Ingress shop/chat", true)]
    [InlineData("Ingress shop/*", true)]
    [InlineData("* shop/*", true)]
    [InlineData("*", true)]
    [InlineData("Ingress shop/chat*", true)]
    [InlineData("Ingress shop", false)]
    [InlineData("Ingress shop/chat?", false)]
    [InlineData("Ingress */chat2", false)]
    [InlineData("*shop/chat*chat", false)]
    public void The_configuration_suppresses_by_object(string pattern, bool suppressed)
    {
        Assert.Equal(suppressed, Suppressions.Matches(pattern, "Ingress shop/chat"));
        var settings = new LintSettings { Ignore = [new IgnoredFinding(["HF-N02"], [pattern], "why")] };
        var result = Lint.Text(Ingress("HF-N05 x"), settings);
        Assert.Equal(suppressed, result.Suppressed.Any(f => f.Rule.Id == "HF-N02" && f.Suppressed == new Suppression("why", IsInSource: false)));
    }

    [Fact]
    public void What_is_suppressed_is_not_fixed()
    {
        var result = Holdfast.Manifests.Linting.Fixing.Fixer.Fix([Lint.Source(Ingress("HF-N02 it pings"))], LintSettings.Default);
        Assert.Empty(result.Changed);
    }

    private static string Ingress(string ignore) =>
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: chat, namespace: shop,\n  annotations: {lint.holdfast.dev/ignore: \"" + ignore
        + "\"}}\nspec: {ingressClassName: nginx, rules: [{http: {paths: [{path: /ws, backend: {service: {name: chat, port: {number: 80}}}}]}}]}\n";
}
