using System.Diagnostics;
using Holdfast.Functional.Tests.Dev;

namespace Holdfast.Functional.Tests.Lint;

/// <summary><c>holdfast lint</c> as it is started in a repository or behind a pipe.</summary>
public sealed class LintProcessTests : IDisposable
{
    private const string Chart = """
        ---
        # Source: chat/templates/ingress.yaml
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata:
          name: chat
        spec:
          ingressClassName: nginx
          rules:
            - http: {paths: [{path: /ws, backend: {service: {name: chat, port: {number: 80}}}}]}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-lint-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_is_piped_in_is_judged_and_its_template_named()
    {
        var (code, output) = await RunAsync(Chart, "lint", "-");
        Assert.Equal(1, code);
        Assert.Contains("stdin:5:1 (chat/templates/ingress.yaml) error HF-N02 nginx-read-timeout\n", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', output);
    }

    [Fact]
    public async Task The_configuration_of_the_working_directory_is_used()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "chat.yaml"), Chart);
        Assert.Equal(1, (await RunAsync("", "lint", ".")).Code);
        await File.WriteAllTextAsync(Path.Combine(_folder, ".holdfast-lint.yaml"), "ignore: [{reason: not ours}]\n");
        var (code, output) = await RunAsync("", "lint", ".");
        Assert.Equal(0, code);
        Assert.Contains("suppressed", output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(_folder, ".holdfast-lint.yaml"), "ignored: []\n");
        Assert.Equal(2, (await RunAsync("", "lint", ".")).Code);
    }

    [Fact]
    public async Task A_fix_is_written_in_place()
    {
        var file = Path.Combine(_folder, "chat.yaml");
        await File.WriteAllTextAsync(file, Chart);
        Assert.Equal(0, (await RunAsync("", "lint", "--fix", "--fail-on", "none", "chat.yaml")).Code);
        Assert.Equal(
            Chart.Replace("  name: chat\nspec", "  name: chat\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\"\nspec", StringComparison.Ordinal),
            await File.ReadAllTextAsync(file));
    }

    private async Task<(int Code, string Output)> RunAsync(string input, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(Processes.ToolDirectory, "holdfast.dll"), .. arguments])
        {
            WorkingDirectory = _folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await error;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output);
    }
}
