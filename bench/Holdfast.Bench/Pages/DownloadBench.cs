using System.Diagnostics;
using System.Globalization;
using Holdfast.Bench.Crowds;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Runs;

namespace Holdfast.Bench.Pages;

/// <summary>Live WebSockets in quiet, and while something large is downloaded through the same system.</summary>
internal static class DownloadBench
{
    // The aim: p99 of a message at most this times as in quiet.
    private const double AgainstQuiet = 2;

    private sealed record Result(string System, Phase Quiet, Phase Download, double Seconds);

    public static async Task<int> RunAsync(BenchSettings settings, RelayCase live, long bytes, int downloads)
    {
        var writer = new ResultWriter("download", settings, "run", "system", "p50_quiet", "p50_download", "p99_quiet", "p99_download", "p999_quiet", "p999_download", "max_quiet", "max_download",
            "lag_p99_quiet", "lag_p99_download", "download_seconds", "busy_quiet", "busy_download", "others_download", "longest_turn_ms")
        {
            TemplateKind = PeerConfiguration.Http,
        };
        var results = new List<Result>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var system in settings.Systems)
            {
                var r = await MeasureAsync(settings, system, live, bytes, downloads);
                results.Add(r);
                var (q, d) = (r.Quiet, r.Download);
                writer.Row(run, system, q.P50, d.P50, q.P99, d.P99, q.P999, d.P999, q.Max, d.Max, q.LagP99, d.LagP99, Math.Round(r.Seconds, 2), Math.Round(q.ProxyBusy, 3), Math.Round(d.ProxyBusy, 3),
                    Math.Round(d.OthersBusy, 3), d.LongestTurn);
                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {system}: p99 {q.P99:0.00} ms in quiet, {d.P99:0.00} ms while {bytes / 1e9:0.00} GB come in {r.Seconds:0.0} s; worst {q.Max:0.0} and {d.Max:0.0} ms"));
            }
        }

        Spread Of(string system, Func<Result, double> value) => Spread.Of(results.Where(r => r.System == system).Select(value));
        writer.Text($"{live}, over WebSockets, in quiet and while {bytes / 1e9:0.00} GB are downloaded over another connection of the same listener, {downloads} times one after the other, as fast as they come. Milliseconds from the due time to the whole answer.");
        writer.Table(["system", "p99 quiet", "p99 download", "times", "p50 quiet", "p50 download", "p99.9 quiet", "p99.9 download", "worst quiet", "worst download", "one download, s", "GB/s", "proxy's core busy"],
            settings.Systems.Select(s => new[]
            {
                s, Of(s, r => r.Quiet.P99).Text("0.00"), Of(s, r => r.Download.P99).Text("0.00"), Of(s, r => r.Download.P99 / r.Quiet.P99).Text("0.00"),
                Of(s, r => r.Quiet.P50).Text("0.000"), Of(s, r => r.Download.P50).Text("0.000"), Of(s, r => r.Quiet.P999).Text("0.0"), Of(s, r => r.Download.P999).Text("0.0"),
                Of(s, r => r.Quiet.Max).Text("0.0"), Of(s, r => r.Download.Max).Text("0.0"), Of(s, r => r.Seconds).Text("0.00"), Of(s, r => bytes / 1e9 / r.Seconds).Text("0.00"),
                Of(s, r => r.Download.ProxyBusy).Text("P0"),
            }));
        var ratio = Of(Peer.Holdfast, r => r.Download.P99 / r.Quiet.P99).Median;
        var holds = double.IsNaN(ratio) || ratio <= AgainstQuiet;
        if (!double.IsNaN(ratio))
            writer.Text(FormattableString.Invariant($"Holdfast's p99 is {ratio:0.00} x that in quiet; the aim is {AgainstQuiet} at most."));
        await writer.SaveAsync();
        return holds ? 0 : 1;
    }

    private static async Task<Result> MeasureAsync(BenchSettings settings, string system, RelayCase load, long bytes, int downloads)
    {
        for (var attempt = 1; ; attempt++)
        {
            await Quiet.WaitAsync(settings);
            await using var echo = Child.Start(first: true, "backend", settings.Endpoints, 0, 0);
            await using var pages = Child.Start(first: false, "backend", 1, 0, 0);
            var (echoes, files) = ((await echo.HearAsync()).Split(','), (await pages.HearAsync()).Split(','));
            await using var peer = await Peer.StartAsync(system, echoes, pages: files);
            using var watch = new GatewayWatch(peer, [echo.ProcessId, pages.ProcessId]);
            using var live = await LivePairs.StartAsync(peer, watch, load, connectRate: 2000);

            // The first download pays for the JIT.
            await DownloadAsync(peer, bytes);
            await Task.Delay(settings.WarmUp);
            var quiet = await live.DuringAsync("quiet", () => Task.Delay(settings.Measure));
            var seconds = 0.0;
            var download = await live.DuringAsync("download", async () =>
            {
                for (var i = 0; i < downloads; i++)
                    seconds += await DownloadAsync(peer, bytes) / downloads;
            });
            var report = await live.StopAsync();
            if (!report.IsClean)
                throw new BenchException($"{system}: the load found faults");
            // curl and the pages' backend are this bench's own, and are others to the phases.
            if (Quiet.Disturbance(settings, [quiet]) is not { } why || attempt == Quiet.Attempts)
                return new Result(system, quiet, download, seconds);
            await Console.Error.WriteLineAsync($"{system}: refused ({why}), run again");
        }
    }

    /// <summary>Seconds that it took.</summary>
    private static async Task<double> DownloadAsync(Peer peer, long bytes)
    {
        var start = Pinning.Taskset(Pinning.LoadCore, "curl",
        [
            "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_download} %{time_total}", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{peer.Port}/bytes/{bytes}"),
        ]);
        start.RedirectStandardOutput = true;
        using var curl = Process.Start(start)!;
        var said = (await curl.StandardOutput.ReadToEndAsync()).Split(' ');
        await curl.WaitForExitAsync();
        return curl.ExitCode == 0 && said[0] == "200" && long.Parse(said[1], CultureInfo.InvariantCulture) == bytes
            ? double.Parse(said[2], CultureInfo.InvariantCulture)
            : throw new BenchException($"{peer.Name}: the download failed: curl {curl.ExitCode}, {string.Join(' ', said)}");
    }
}
