using System.Diagnostics;
using System.Text.Json;
using Holdfast.Cli;
using Holdfast.Cli.Load;

namespace Holdfast.Functional.Tests.Load;

public sealed class LoadCommandTests
{
    [Fact]
    public async Task Json_is_the_only_thing_on_standard_output()
    {
        await using var server = new FaultyServer((_, _) => Fault.None);
        var (exit, output, errors) = await RunAsync($"load {server.Url} -n 5 -r 100 -d 1200ms --json");
        Assert.Equal(ExitCodes.Ok, exit);
        var report = JsonSerializer.Deserialize(output, LoadJson.Default.LoadReport)!;
        Assert.Equal(120, report.Received);
        Assert.Contains("5 open", errors, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', errors);
    }

    [Fact]
    public async Task The_report_names_every_count()
    {
        await using var server = new FaultyServer((connection, n) => connection == 0 && n == 3 ? Fault.Double : Fault.None);
        var (exit, output, _) = await RunAsync($"load {server.Url} --connections 5 --rate 100 --duration 1s");
        Assert.Equal(ExitCodes.FaultsFound, exit);
        Assert.Contains("100 sent, 101 received", output, StringComparison.Ordinal);
        Assert.Matches(@"duplicated +1\n", output);
        Assert.Matches(@"lost +0\n", output);
        Assert.Contains("p99.9", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_usage_is_2_and_no_server_is_3()
    {
        Assert.Equal(ExitCodes.BadUsage, (await RunAsync("load wss://127.0.0.1:1/")).Exit);
        Assert.Equal(ExitCodes.BadUsage, (await RunAsync("load ws://127.0.0.1:1/ --check nonsense")).Exit);
        var (exit, _, errors) = await RunAsync("load ws://127.0.0.1:1/ -n 2");
        Assert.Equal(ExitCodes.Failed, exit);
        Assert.Contains("refused", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task A_signal_ends_it_early_with_a_report_of_what_was_measured(string signal)
    {
        var echoed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = new FaultyServer((_, n) =>
        {
            if (n == 20)
                echoed.TrySetResult();
            return Fault.None;
        });
        using var process = Start($"load {server.Url} -n 5 -r 500 -d 1h --json");
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await echoed.Task.WaitAsync(TimeSpan.FromSeconds(30));
        using (var kill = Process.Start("kill", ["-" + signal, process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
            await kill.WaitForExitAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
        await errors;
        var report = JsonSerializer.Deserialize(await output, LoadJson.Default.LoadReport)!;
        Assert.Equal(ExitCodes.Ok, process.ExitCode);
        Assert.True(report.Interrupted);
        Assert.True(report.Sent >= 20);
        Assert.Equal(report.Sent, report.Received);
    }

    private static async Task<(int Exit, string Output, string Errors)> RunAsync(string arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        return (process.ExitCode, await output, await errors);
    }

    private static Process Start(string arguments) =>
        Process.Start(new ProcessStartInfo("dotnet", Path.Combine(AppContext.BaseDirectory, "holdfast.dll") + " " + arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
}
