using System.Text.Json.Nodes;
using Holdfast.Cli;
using Holdfast.Cli.Commands;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public sealed class LintCommandTests : IDisposable
{
    private const string Bad = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: chat # ours\nspec:\n  ingressClassName: nginx\n  rules:\n    - http: {paths: [{path: /ws, backend: {service: {name: chat, port: {number: 80}}}}]}\n";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(null, ExitCodes.FaultsFound)]
    [InlineData("error", ExitCodes.FaultsFound)]
    [InlineData("advice", ExitCodes.FaultsFound)]
    [InlineData("none", ExitCodes.Ok)]
    public void Errors_fail_unless_none_does(string? failOn, int code)
    {
        string[] arguments = failOn is null ? [] : ["--fail-on", failOn];
        Assert.Equal(code, Run([_folder.Write("a.yaml", Bad), .. arguments]).Code);
    }

    [Theory]
    [InlineData("error", ExitCodes.Ok)]
    [InlineData("warning", ExitCodes.Ok)]
    [InlineData("advice", ExitCodes.FaultsFound)]
    public void Advice_fails_only_when_asked(string failOn, int code)
    {
        // Only that ingress-nginx is retired.
        _folder.Write("a.yaml", Bad.Replace("name: chat # ours\n", "name: chat\n  annotations: {nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\"}\n", StringComparison.Ordinal));
        var (actual, output, _) = Run(_folder.Path, "--fail-on", failOn, "--format", "json");
        Assert.Equal(["HF-N01"], JsonNode.Parse(output)!["findings"]!.AsArray().Select(f => f!["id"]!.GetValue<string>()).Where(id => id.StartsWith("HF-N", StringComparison.Ordinal)));
        Assert.Equal(code, actual);
    }

    [Fact]
    public void A_broken_manifest_fails_and_the_others_are_judged()
    {
        _folder.Write("a.yaml", Bad);
        var broken = _folder.Write("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: [\n");
        var (code, output, error) = Run(_folder.Path);
        Assert.Equal((ExitCodes.FaultsFound, ""), (code, error));
        Assert.Contains($"{broken}:4:1: not read: not valid YAML", output, StringComparison.Ordinal);
        Assert.Contains("HF-N02", output, StringComparison.Ordinal);
        File.Delete(Path.Combine(_folder.Path, "a.yaml"));
        Assert.Equal(ExitCodes.FaultsFound, Run(_folder.Path).Code);
        Assert.Equal(ExitCodes.Ok, Run(_folder.Path, "--fail-on", "none").Code);
    }

    [Fact]
    public void Bad_usage_is_told_all_at_once()
    {
        var config = _folder.Write("c.yaml", "assum: {}\n");
        var (code, output, error) = Run("no/such.yaml", "--websocket", "chat", "--config", config);
        Assert.Equal((ExitCodes.BadUsage, ""), (code, output));
        Assert.Equal(
            [$"{config}:1:1: assum: unknown key; did you mean `assume`?", "--websocket: 'chat' is not namespace/name; write for example shop/chat", "no/such.yaml: there is no such file or folder"],
            error.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("name at least one file or folder")]
    [InlineData("there is no such file", "a.yaml", "--config", "no.yaml")]
    [InlineData("--fix writes files", "-", "--fix")]
    [InlineData("did you mean HF-N02?", "--explain", "HF-N2")]
    [InlineData("lint-rules.md", "--explain", "nonsense")]
    public void Bad_usage_ends_with_2(string message, params string[] arguments)
    {
        var (code, output, error) = Run(arguments);
        Assert.Equal((ExitCodes.BadUsage, ""), (code, output));
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--format", "xml")]
    [InlineData("--fail-on", "fatal")]
    public void Words_that_are_none_are_refused_by_the_parser(params string[] arguments) => Assert.NotEmpty(LintCommand.Create().Parse(["a.yaml", .. arguments]).Errors);

    [Theory]
    [InlineData("HF-N02")]
    [InlineData("hf-n02")]
    [InlineData("nginx-read-timeout")]
    public void A_rule_is_explained(string name)
    {
        var (code, output, error) = Run("--explain", name);
        Assert.Equal((ExitCodes.Ok, ""), (code, error));
        Assert.StartsWith("HF-N02 nginx-read-timeout (error)\n", output, StringComparison.Ordinal);
        Assert.All((string[])["\nWhy\n", "\nFix (", "\nSee\n  https://", "lint.holdfast.dev/ignore"], part => Assert.Contains(part, output, StringComparison.Ordinal));
    }

    [Fact]
    public void Fixing_writes_the_file_and_only_once()
    {
        _folder.Write("a.yaml", "\uFEFF" + Bad);
        var untouched = _folder.Write("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n");
        var before = File.GetLastWriteTimeUtc(untouched);
        var (code, output, error) = Run(_folder.Path, "--fix");
        Assert.Equal((ExitCodes.Ok, ""), (code, error));
        Assert.Contains("fixed HF-N02: set nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\"", output, StringComparison.Ordinal);
        // ReadAllText would swallow the byte order mark.
        var written = new System.Text.UTF8Encoding(false).GetString(File.ReadAllBytes(Path.Combine(_folder.Path, "a.yaml")));
        Assert.Equal("\uFEFF" + Bad.Replace("name: chat # ours\n", "name: chat # ours\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\"\n", StringComparison.Ordinal), written);
        Assert.Equal(before, File.GetLastWriteTimeUtc(untouched));
        var (again, second, _) = Run(_folder.Path, "--fix");
        Assert.Equal(ExitCodes.Ok, again);
        Assert.DoesNotContain("fixed HF", second, StringComparison.Ordinal);
        Assert.Equal("\uFEFF" + _folder.Read("a.yaml"), written);
    }

    [Fact]
    public void What_was_named_counts_as_a_user_of_WebSockets()
    {
        var path = _folder.Write("a.yaml", Bad.Replace("/ws", "/", StringComparison.Ordinal) + "---\napiVersion: v1\nkind: Service\nmetadata: {name: chat}\n");
        Assert.Equal(ExitCodes.Ok, Run(path).Code);
        Assert.Equal(ExitCodes.FaultsFound, Run(path, "--websocket", "default/chat").Code);
    }

    [Fact]
    public void A_configuration_is_used()
    {
        var path = _folder.Write("a.yaml", Bad);
        var config = _folder.Write("c/lint.yaml", "assume: {pingInterval: 20s}\n");
        Assert.Equal(ExitCodes.Ok, Run(path, "--config", config).Code);
    }

    [Fact]
    public void A_report_that_cannot_be_written_is_told_in_one_line()
    {
        // Without a buffer of its own, which would fail once more when disposed of.
        using var full = new StreamWriter(new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0)) { AutoFlush = true };
        using var error = new StringWriter();
        Assert.Equal(ExitCodes.Failed, LintCommand.Create().Parse([_folder.Write("a.yaml", Bad)]).Invoke(new() { Output = full, Error = error }));
        Assert.StartsWith("the report cannot be written: ", error.ToString(), StringComparison.Ordinal);
        Assert.Single(error.ToString().TrimEnd().Split('\n'));
    }

    [Fact]
    public void An_Ingress_with_affinity_in_another_environment_is_not_a_second_one()
    {
        _folder.Write("staging/a.yaml", Bad);
        _folder.Write("prod/a.yaml", Bad.Replace("name: chat # ours\n", "name: chat\n  annotations: {nginx.ingress.kubernetes.io/affinity: cookie}\n", StringComparison.Ordinal));
        Assert.DoesNotContain("HF-N13", Run(_folder.Path).Output, StringComparison.Ordinal);
        _folder.Write("prod/b.yaml", Bad.Replace("name: chat # ours\n", "name: second\n", StringComparison.Ordinal));
        Assert.Contains("HF-N13", Run(_folder.Path).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Output_that_is_no_terminal_has_no_colour() => Assert.DoesNotContain('\u001b', Run(_folder.Write("a.yaml", Bad)).Output);

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = LintCommand.Create().Parse(arguments).Invoke(new() { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
