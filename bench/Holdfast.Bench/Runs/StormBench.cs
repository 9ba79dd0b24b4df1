using System.Globalization;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Crowds;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;

namespace Holdfast.Bench.Runs;

/// <summary>Thousands of handshakes at once against a backend that takes a few hundred per second, beside live pairs: who is served, in what order, and what the live pairs feel.</summary>
internal static class StormBench
{
    private static readonly TimeSpan SampleEvery = TimeSpan.FromMilliseconds(500), PeakAt = TimeSpan.FromMilliseconds(1500), SettleTime = TimeSpan.FromSeconds(20);

    public static async Task<int> RunAsync(BenchSettings settings, RelayCase load, IReadOnlyList<StormVariant> variants)
    {
        var most = variants.Max(v => v.Plan.Count);
        Descriptors.Require(2 * (most + load.Connections), most);
        var writer = new ResultWriter("storm", settings, "run", "system", "variant", "handshakes", "served", "arrival_s", "whole_s", "overrun", "backend_longest_line", "backend_most_per_s",
            "worst_ratio", "worst_spread", "breaches", "window_ratio", "out_of_turn", "wait_p50_s", "wait_max_s", "wait_p50_first_s", "wait_max_first_s",
            "quiet_p50_ms", "storm_p50_ms", "quiet_p99_ms", "storm_p99_ms", "quiet_p999_ms", "storm_p999_ms", "quiet_max_ms", "storm_max_ms", "quiet_lag_p99_ms", "storm_lag_p99_ms",
            "quiet_others_busy", "storm_others_busy", "quiet_turn_ms", "storm_turn_ms", "rss_before_mb", "rss_peak_mb", "rss_most_mb", "rss_after_mb", "heap_before_mb", "heap_peak_mb", "heap_after_mb",
            "waiting_at_peak", "bytes_per_waiting", "live_lost")
        {
            TemplateKind = PeerConfiguration.Crowd,
        };
        var results = new List<StormResult>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var (system, variant) in variants.SelectMany(v => settings.Systems.Select(s => (s, v))))
            {
                var result = await MeasureAsync(settings, system, load, variant);
                results.Add(result);
                Row(writer, run, result);
                await Console.Error.WriteLineAsync($"run {run}, {result}");
            }
        }

        var holds = Report(writer, settings, load, variants, results);
        await writer.SaveAsync();
        return holds ? 0 : 1;
    }

    private static async Task<StormResult> MeasureAsync(BenchSettings settings, string system, RelayCase load, StormVariant variant)
    {
        for (var attempt = 1; ; attempt++)
        {
            await Quiet.WaitAsync(settings);
            var result = await MeasureOnceAsync(settings, system, load, variant);
            if (Quiet.Disturbance(settings, [result.Quiet, result.Stormy]) is not { } disturbance)
                return result;
            if (attempt == Quiet.Attempts)
                throw new BenchException($"{system}, {variant.Name}: no run counted in {attempt} attempts; the last: {disturbance}");
            await Console.Error.WriteLineAsync($"{result}\n{system}, {variant.Name}: refused ({disturbance}), run again");
        }
    }

    private static async Task<StormResult> MeasureOnceAsync(BenchSettings settings, string system, RelayCase load, StormVariant variant)
    {
        await using var backend = Child.Start(first: true, "backend", 1, variant.BackendRate, StormVariant.BackendLine);
        await using var peer = await Peer.StartAsync(system, (await backend.HearAsync()).Split(','), handshakes: variant.HandshakesOf(system));
        await using var crowd = Child.Start(first: false, "storm-crowd", peer.Port, variant.Crowd, variant.Patience.TotalSeconds);
        await crowd.HearAsync();
        using var watch = new GatewayWatch(peer, [backend.ProcessId, crowd.ProcessId]);
        using var live = await LivePairs.StartAsync(peer, watch, load, connectRate: 250);
        await Task.Delay(settings.WarmUp);
        await watch.LookAsync();    // The first look loads what looks need.
        await backend.TellAsync("reset");
        var before = await watch.LookAsync();

        // Looked at in both phases, since looking costs the proxy time.
        var (peak, peakAt, mostResident) = (before, 0L, 0L);
        async Task LookAtPeakAsync()
        {
            await Task.Delay(PeakAt);
            peakAt = Now;
            peak = await watch.LookAsync();
        }

        async Task SampleAsync(Task until)
        {
            while (!until.IsCompleted)
            {
                mostResident = Math.Max(mostResident, watch.Resident);
                await Task.WhenAny(until, Task.Delay(SampleEvery));
            }
        }

        var quiet = await live.DuringAsync("quiet", () =>
        {
            var whole = Task.Delay(variant.Ideal);
            return Task.WhenAll(whole, LookAtPeakAsync(), SampleAsync(whole));
        });
        mostResident = 0;
        var storm = await live.DuringAsync("storm", async () =>
        {
            var begin = TimeProvider.System.GetTimestamp();
            await crowd.TellAsync("go");
            var done = crowd.HearAsync(variant.Patience + TimeSpan.FromSeconds(30));
            await Task.WhenAll(done, LookAtPeakAsync(), SampleAsync(done));

            // A system that is done at once with refusals is measured for as long as quiet was.
            var rest = variant.Ideal - TimeProvider.System.GetElapsedTime(begin);
            if (rest > variant.Ideal / 10)
                await Task.Delay(rest);
        });
        var handshakes = await crowd.AskAsync<StormHandshake[]>("report");
        var desk = await backend.AskAsync<DeskCounts>("stats");
        var lostAfter = await crowd.AskAsync<int>("end");
        var after = await SettledAsync(watch, before);
        var report = await live.StopAsync();
        return new StormResult(system, variant, handshakes, quiet, storm)
        {
            Backend = desk,
            Before = before,
            Peak = peak,
            After = after,
            MostResident = mostResident,
            WaitingAtPeak = handshakes.Count(h => h.SentAt != 0 && h.SentAt < peakAt && h.DecidedAt > peakAt),
            LostAfter = lostAfter,
            IsClean = report.IsClean,
            LiveMessages = report.Sent,
        };
    }

    private static long Now => TimeProvider.System.GetTimestamp() / (TimeProvider.System.TimestampFrequency / 1_000_000);

    private static async Task<Look> SettledAsync(GatewayWatch watch, Look before)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            var look = await watch.LookAsync();
            if (look.Descriptors <= before.Descriptors || TimeProvider.System.GetElapsedTime(begin) > SettleTime)
                return look;
        }
    }

    private static void Row(ResultWriter writer, int run, StormResult r) => writer.Row(
        run, r.System, r.Variant.Name, r.Storm.Count, r.Served, Math.Round(r.Arrival, 3), Math.Round(r.Whole, 3), r.Backend.Overrun, r.Backend.LongestLine, r.Backend.MostPerSecond,
        Math.Round(r.Fairness.WorstRatio, 2), r.Fairness.WorstSpread, r.Fairness.Breaches, r.Fairness.WindowRatio, r.Fairness.OutOfTurn,
        Math.Round(r.Wait(50, false), 2), Math.Round(r.Wait(100, false), 2), Math.Round(r.Wait(50, true), 2), Math.Round(r.Wait(100, true), 2),
        r.Quiet.P50, r.Stormy.P50, r.Quiet.P99, r.Stormy.P99, r.Quiet.P999, r.Stormy.P999, r.Quiet.Max, r.Stormy.Max, r.Quiet.LagP99, r.Stormy.LagP99,
        Math.Round(r.Quiet.OthersBusy, 3), Math.Round(r.Stormy.OthersBusy, 3), r.Quiet.LongestTurn, r.Stormy.LongestTurn,
        r.Before.ResidentMb, r.Peak.ResidentMb, Math.Round(r.MostResident / 1e6, 1), r.After.ResidentMb, r.Before.ManagedHeapMb, r.Peak.ManagedHeapMb, r.After.ManagedHeapMb,
        r.WaitingAtPeak, r.BytesPerWaiting, r.IsClean ? 0 : 1);

    private static bool Report(ResultWriter writer, BenchSettings settings, RelayCase load, IReadOnlyList<StormVariant> variants, List<StormResult> results)
    {
        writer.Text($"{load}, beside a storm. " + string.Join(". ", variants.Select(v => $"**{v.Name}**: {v.Told}")) + ".");
        writer.Text("All dial at once, address by address. Share: counted from when all have come and the 64 that were at the backend then have their answers; at each 101, how often the most served address "
            + "has been served against the least served of those that still wait; more than twice and two is a breach. Ratio: the worst of these, each plus one. Waits: from the dial to the 101. Slower: p99 of the live pairs in the storm over that in quiet, which comes first and takes as long.");
        writer.Text(Descriptors.Told);
        var groups = variants.SelectMany(v => settings.Systems.Select(s => results.Where(r => r.System == s && r.Variant == v).ToArray())).ToArray();
        writer.Table(
            ["variant", "system", "served", "not served", "arrived in s", "all decided in s", "overruns", "worst ratio", "worst difference", "breaches", "ratio in 2 s windows", "first address waits s, median, worst", "others"],
            groups.Select(g => new[]
            {
                g[0].Variant.Name, g[0].System, Of(g, r => r.Served, "0"), g[0].Others, Of(g, r => r.Arrival, "0.00"), Of(g, r => r.Whole, "0.0"), Of(g, r => r.Backend.Overrun, "0"),
                Of(g, r => r.Fairness.WorstRatio, "0.00"), Of(g, r => r.Fairness.WorstSpread, "0"), Of(g, r => r.Fairness.Breaches, "0"), Of(g, r => r.Fairness.WindowRatio, "0.00"),
                Spread.Of(g.Select(r => r.Wait(50, true))).Median.ToString("0.0", CultureInfo.InvariantCulture) + ", " + Spread.Of(g.Select(r => r.Wait(100, true))).Median.ToString("0.0", CultureInfo.InvariantCulture),
                Spread.Of(g.Select(r => r.Wait(50, false))).Median.ToString("0.0", CultureInfo.InvariantCulture) + ", " + Spread.Of(g.Select(r => r.Wait(100, false))).Median.ToString("0.0", CultureInfo.InvariantCulture),
            }));
        writer.Table(
            ["variant", "system", "p50 ms quiet", "storm", "p99 ms quiet", "storm", "slower", "p99.9 ms quiet", "storm", "worst ms quiet", "storm", "longest turn ms quiet", "storm", "core busy quiet", "storm"],
            groups.Select(g => new[]
            {
                g[0].Variant.Name, g[0].System, Of(g, r => r.Quiet.P50, "0.000"), Of(g, r => r.Stormy.P50, "0.000"), Of(g, r => r.Quiet.P99, "0.00"), Of(g, r => r.Stormy.P99, "0.00"), Of(g, r => r.Slower, "0.00"),
                Of(g, r => r.Quiet.P999, "0.0"), Of(g, r => r.Stormy.P999, "0.0"), Of(g, r => r.Quiet.Max, "0.0"), Of(g, r => r.Stormy.Max, "0.0"),
                Of(g, r => r.Quiet.LongestTurn, "0"), Of(g, r => r.Stormy.LongestTurn, "0"), Of(g, r => r.Quiet.ProxyBusy, "P1"), Of(g, r => r.Stormy.ProxyBusy, "P1"),
            }));
        writer.Table(
            ["variant", "system", "RSS MB before", "1.5 s into the storm", "most", "after", "Private_Dirty MB before", "1.5 s into the storm", "managed heap MB before", "1.5 s into the storm", "after", "waiting then", "bytes each"],
            groups.Select(g => new[]
            {
                g[0].Variant.Name, g[0].System, Of(g, r => r.Before.ResidentMb, "0.0"), Of(g, r => r.Peak.ResidentMb, "0.0"), Of(g, r => r.MostResident / 1e6, "0.0"), Of(g, r => r.After.ResidentMb, "0.0"),
                Of(g, r => r.Before.PrivateDirtyMb, "0.0"), Of(g, r => r.Peak.PrivateDirtyMb, "0.0"), Of(g, r => r.Before.ManagedHeapMb, "0.0"), Of(g, r => r.Peak.ManagedHeapMb, "0.0"),
                Of(g, r => r.After.ManagedHeapMb, "0.0"), Of(g, r => r.WaitingAtPeak, "0"), Of(g, r => r.BytesPerWaiting, "0"),
            }));
        if (!settings.Systems.Contains(Peer.Holdfast))
            return true;
        var faults = results.Where(r => r.System == Peer.Holdfast).SelectMany(r => r.Faults().Select(f => $"{r.Variant.Name}: {f}")).ToArray();
        writer.Text(faults.Length == 0 ? "The gate holds: all were served, in turn; nothing was lost." : "THE GATE DOES NOT HOLD: " + string.Join("; ", faults));
        return faults.Length == 0;
    }

    private static string Of(IEnumerable<StormResult> results, Func<StormResult, double> value, string format) => Spread.Of(results.Select(value)).Text(format);
}
