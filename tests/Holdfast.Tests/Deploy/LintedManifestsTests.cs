using System.Text.Json.Nodes;
using Holdfast.Cli.Commands;
using Holdfast.Testing;
using Xunit;

namespace Holdfast.Tests.Deploy;

/// <summary>Our own linter finds nothing in what we ship, alone and behind each load balancer that a page puts before it.</summary>
public sealed class LintedManifestsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-lint-").FullName;

    public LintedManifestsTests()
    {
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, "deploy", "plain")))
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_plain_manifests_are_without_a_finding() => Assert.Empty(Findings());

    [Theory]
    [InlineData("docs/behind-aws.md")]
    [InlineData("docs/behind-google.md")]
    [InlineData("docs/behind-ingress-nginx.md", "HF-N01")]      // That ingress-nginx is retired is said on the page.
    public void Behind_a_load_balancer_too(string page, params string[] known)
    {
        var blocks = CodeBlock.Read(page).Where(b => b.Language == "yaml").ToArray();
        Assert.NotEmpty(blocks);
        foreach (var block in blocks)
            File.WriteAllText(Path.Combine(_folder, FormattableString.Invariant($"line-{block.Line}.yaml")), block.Text);
        Assert.Equal(known, Findings());
    }

    [Theory]
    [InlineData("target_health_state.unhealthy.connection_termination.enabled=false,", "", "HF-C04")]     // Called "the one that matters".
    [InlineData("idle_timeout.timeout_seconds=600", "idle_timeout.timeout_seconds=59", "HF-C01")]
    public void Without_an_attribute_that_a_page_sets_there_is_a_finding(string attribute, string other, string finding)
    {
        var block = CodeBlock.Read("docs/behind-aws.md").Single(b => b.Language == "yaml" && b.Text.Contains(attribute, StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(_folder, "block.yaml"), block.Text.Replace(attribute, other, StringComparison.Ordinal));
        Assert.Equal([finding], Findings());
    }

    private IEnumerable<string> Findings()
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        _ = LintCommand.Create().Parse([_folder, "--format", "json"]).Invoke(new() { Output = output, Error = error });
        Assert.Empty(error.ToString());
        return JsonNode.Parse(output.ToString())!["findings"]!.AsArray().Select(f => (string)f!["id"]!);
    }
}
