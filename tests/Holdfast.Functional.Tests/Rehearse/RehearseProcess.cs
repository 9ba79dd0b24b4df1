using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Holdfast.Cli.Rehearse.Reporting;
using Holdfast.Functional.Tests.Dev;

namespace Holdfast.Functional.Tests.Rehearse;

/// <summary><c>holdfast rehearse</c> as a process of its own, with a temporary directory of its own.</summary>
internal sealed class RehearseProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    private RehearseProcess(Process process, string temporary)
    {
        (_process, Temporary) = (process, temporary);
        (_output, _errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
    }

    /// <summary>What it and its children use for temporary files.</summary>
    public string Temporary { get; }

    public static RehearseProcess Start(params string[] arguments)
    {
        var temporary = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = Path.GetDirectoryName(Processes.ToolDirectory)!,
        };
        foreach (var argument in (string[])[Path.Combine(Processes.ToolDirectory, "holdfast.dll"), "rehearse", .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["TMPDIR"] = temporary;
        return new RehearseProcess(Process.Start(start)!, temporary);
    }

    /// <summary>Runs with <c>--json</c> to the end.</summary>
    public static async Task<(int Exit, IReadOnlyList<SystemResult> Results)> RunAsync(params string[] arguments)
    {
        await using var process = Start([.. arguments, "--json"]);
        var (exit, output, errors) = await process.EndAsync();
        Assert.True(output.StartsWith('{'), output + errors);
        var report = JsonSerializer.Deserialize(output, RehearseJson.Default.RehearseReport)!;
        Assert.All(report.Results, r => Assert.True(r.Failed is null, $"{r.System}: {r.Failed}"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(process.Temporary, "holdfast-*"));
        return (exit, report.Results);
    }

    public async Task<(int Exit, string Output, string Errors)> EndAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(limit.Token);
        return (_process.ExitCode, await _output, await _errors);
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-" + signal, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(Temporary, recursive: true);
    }
}
