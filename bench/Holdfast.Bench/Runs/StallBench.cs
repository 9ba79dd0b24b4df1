using System.Diagnostics;
using System.Globalization;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;

namespace Holdfast.Bench.Runs;

/// <summary>The worst echo through Holdfast while its admin address is asked without pause and its routes are swapped, beside the same load in quiet.</summary>
internal static class StallBench
{
    private static readonly string[] Paths = ["/v1/backends", "/v1/connections", "/metrics"];

    public static async Task<int> RunAsync(BenchSettings settings, RelayCase load)
    {
        using var backend = new EchoBackend(settings.Endpoints);
        var trial = new Trial(settings, backend);
        var writer = new ResultWriter("stall", settings, "run", "phase", "max_ms", "p999_ms", "p99_ms", "max_lag_ms", "polls", "swaps", "proxy_busy");
        var results = new List<(string Phase, Measured Measured)>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            await using var peer = await Peer.StartAsync(Peer.Holdfast, backend.Endpoints);
            foreach (var phase in new[] { "quiet", "disturbed" })
            {
                var (polls, swaps) = (0L, 0);
                var m = await trial.MeasureAsync(peer, RelayBench.OptionsOf(load),
                    phase == "quiet" ? null : async () => (polls, swaps) = await DisturbAsync(peer, settings.Measure));
                if (!m.Report.IsClean)
                    throw new BenchException("The load found faults");
                results.Add((phase, m));
                var latency = m.Report.LatencyMs!;
                writer.Row(run, phase, latency.Max, latency.P999, latency.P99, m.Report.Schedule.MaxLagMs, polls, swaps, Math.Round(m.ProxyBusy, 3));
                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {phase}: worst {latency.Max:0.0} ms, p99.9 {latency.P999:0.000} ms, ")
                    + FormattableString.Invariant($"load late by {m.Report.Schedule.MaxLagMs:0.0} ms at most, {polls} polls, {swaps} swaps of routes"));
            }
        }

        Spread Of(string phase, Func<Measured, double> value) => Spread.Of(results.Where(r => r.Phase == phase).Select(r => value(r.Measured)));
        writer.Text($"{load}; disturbed: {string.Join(", ", Paths)} asked in turn without pause by another process, "
            + "while every 100 ms a configuration with 0 or 500 more routes is applied. The load's own lateness is part of the worst echo.");
        writer.Table(["phase", "worst echo ms", "p99.9 ms", "load's worst lag ms"], new[] { "quiet", "disturbed" }.Select(phase => new[]
        {
            phase, Of(phase, m => m.Report.LatencyMs!.Max).Text("0.0"), Of(phase, m => m.Report.LatencyMs!.P999).Text("0.000"),
            Of(phase, m => m.Report.Schedule.MaxLagMs).Text("0.0"),
        }));
        await writer.SaveAsync();
        return 0;
    }

    /// <summary>The hidden command behind the polls: asks until the time is over, and prints how often.</summary>
    public static async Task<int> PollAsync(Uri admin, TimeSpan duration)
    {
        using var client = new HttpClient { BaseAddress = admin };
        var begin = TimeProvider.System.GetTimestamp();
        var polls = 0L;
        while (TimeProvider.System.GetElapsedTime(begin) < duration)
        {
            using var response = await client.GetAsync(new Uri(Paths[polls % Paths.Length], UriKind.Relative));
            response.EnsureSuccessStatusCode();
            await response.Content.ReadAsByteArrayAsync();
            polls++;
        }

        await Console.Out.WriteLineAsync(polls.ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    /// <summary>Polls, and swaps routes ten times a second meanwhile.</summary>
    private static async Task<(long Polls, int Swaps)> DisturbAsync(Peer peer, TimeSpan duration)
    {
        var polling = PollFromOutsideAsync(peer, duration);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        var swaps = 0;
        while (!polling.IsCompleted)
        {
            await peer.SwapRoutesAsync(swaps % 2 * 500);
            swaps++;
            await timer.WaitForNextTickAsync();
        }

        return (await polling, swaps);
    }

    /// <summary>In a process of its own, so that its garbage stops nobody's schedule, and only in time that the load leaves (SCHED_IDLE).</summary>
    private static async Task<long> PollFromOutsideAsync(Peer peer, TimeSpan duration)
    {
        var start = new ProcessStartInfo("chrt") { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (var argument in new[]
            {
                "--idle", "0", "dotnet", typeof(StallBench).Assembly.Location, "poll", $"http://127.0.0.1:{peer.AdminPort}",
                duration.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            })
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? long.Parse(output, CultureInfo.InvariantCulture)
            : throw new BenchException("Polling the admin address failed");
    }
}
