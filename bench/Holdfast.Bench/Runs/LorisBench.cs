using System.Globalization;
using Holdfast.Bench.Crowds;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;

namespace Holdfast.Bench.Runs;

/// <summary>
/// Live pairs beside sockets that send a head byte by byte and never end it: their latency against quiet, and what is left when the slow ones have gone. They come
/// twice, since what the second time leaves more than the first is a leak, and what the first leaves may be a pool.
/// </summary>
internal static class LorisBench
{
    private const double MostSlower = 2;

    // Kestrel's own and the admin client's come and go.
    private const int DescriptorSlack = 8;
    private const double ResidentSlackMb = 5;
    private const int Addresses = 200;
    private static readonly TimeSpan SettleTime = TimeSpan.FromSeconds(20);

    public static async Task<int> RunAsync(BenchSettings settings, RelayCase load, int sockets, IReadOnlyList<double> ramps)
    {
        Descriptors.Require(sockets + (2 * load.Connections), sockets);
        var writer = new ResultWriter("loris", settings, "run", "system", "ramp_s", "phase", "p50_ms", "p99_ms", "p999_ms", "max_ms", "lag_p99_ms", "lag_max_ms",
            "proxy_busy", "others_busy", "steal", "longest_turn_ms", "fewest", "connects", "cut", "timed_out_408", "refused", "rss_mb", "private_dirty_mb", "heap_mb", "descriptors")
        {
            TemplateKind = PeerConfiguration.Crowd,
        };
        var results = new List<Result>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var (system, ramp) in settings.Systems.SelectMany(s => ramps.Select(r => (s, r))))
            {
                var result = await MeasureAsync(settings, system, load, sockets, TimeSpan.FromSeconds(ramp));
                results.Add(result);
                foreach (var (phase, counts, look) in result.Rows)
                {
                    writer.Row(run, system, ramp, phase.Name, phase.P50, phase.P99, phase.P999, phase.Max, phase.LagP99, phase.LagMax,
                        Math.Round(phase.ProxyBusy, 4), Math.Round(phase.OthersBusy, 4), Math.Round(phase.Steal, 4), phase.LongestTurn, counts.Fewest, counts.Connects, counts.Cut,
                        counts.TimedOut, counts.Refused, look.ResidentMb, look.PrivateDirtyMb, look.ManagedHeapMb, look.Descriptors);
                }

                await Console.Error.WriteLineAsync($"run {run}, {result}");
            }
        }

        var holds = Report(writer, settings, load, sockets, ramps, results);
        await writer.SaveAsync();
        return holds ? 0 : 1;
    }

    private static async Task<Result> MeasureAsync(BenchSettings settings, string system, RelayCase load, int sockets, TimeSpan ramp)
    {
        for (var attempt = 1; ; attempt++)
        {
            await Quiet.WaitAsync(settings);
            var result = await MeasureOnceAsync(settings, system, load, sockets, ramp);
            if (Quiet.Disturbance(settings, result.Rows.Select(r => r.Phase)) is not { } disturbance)
                return result;
            if (attempt == Quiet.Attempts)
                throw new BenchException($"{system}: no run counted in {attempt} attempts; the last: {disturbance}");
            await Console.Error.WriteLineAsync($"{result}\n{system}: refused ({disturbance}), run again");
        }
    }

    private static async Task<Result> MeasureOnceAsync(BenchSettings settings, string system, RelayCase load, int sockets, TimeSpan ramp)
    {
        await using var backend = Child.Start(first: true, "backend", 1, 0, 0);
        await using var peer = await Peer.StartAsync(system, (await backend.HearAsync()).Split(','), handshakes: "");
        await using var crowd = Child.Start(first: false, "slow-crowd", peer.Port, sockets, Addresses, ramp.TotalSeconds);
        await crowd.HearAsync();
        using var watch = new GatewayWatch(peer, [backend.ProcessId, crowd.ProcessId]);
        await watch.LookAsync();    // The first look loads what looks need.
        var empty = await watch.LookAsync();
        using var live = await LivePairs.StartAsync(peer, watch, load, connectRate: 1000);
        await Task.Delay(settings.WarmUp);
        var before = await watch.LookAsync();
        var none = new SlowCrowdCounts(0, 0, 0, 0, 0, 0, 0, 0);
        var rows = new List<(Phase, SlowCrowdCounts, Look)> { (await live.DuringAsync("quiet", () => Task.Delay(settings.Measure)), none, before) };
        var afters = new List<Look>();
        foreach (var wave in new[] { "first wave", "second wave" })
        {
            var phase = await live.DuringAsync(wave, async () =>
            {
                await crowd.TellAsync("go");
                await Task.Delay(settings.Measure);
            });
            var counts = await crowd.AskAsync<SlowCrowdCounts>("stats");
            rows.Add((phase, counts, await watch.LookAsync()));
            await crowd.AskAsync<SlowCrowdCounts>("end", TimeSpan.FromSeconds(30));
            afters.Add(await SettledAsync(watch, before));
        }

        var report = await live.StopAsync();
        await Task.Delay(TimeSpan.FromSeconds(2));
        return new Result(system, ramp, rows, before, afters, empty, await watch.LookAsync(), report.IsClean, report.Sent);
    }

    /// <summary>The look after which descriptors are what they were, or the last within a time.</summary>
    private static async Task<Look> SettledAsync(GatewayWatch watch, Look before)
    {
        var begin = TimeProvider.System.GetTimestamp();
        while (true)
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            var look = await watch.LookAsync();
            if (look.Descriptors <= before.Descriptors + DescriptorSlack || TimeProvider.System.GetElapsedTime(begin) > SettleTime)
                return look;
        }
    }

    private static bool Report(ResultWriter writer, BenchSettings settings, RelayCase load, int sockets, IReadOnlyList<double> ramps, List<Result> results)
    {
        writer.Text(string.Create(CultureInfo.InvariantCulture,
            $"{load}, beside {sockets} sockets from {Addresses} addresses that send a part of a head, then a byte each 2 to 4 s; who is cut comes again at once. ")
            + "They come twice. Ramp: the seconds in which they come first; 0: all at once, and so all are cut at once, 10 s later. "
            + "Slower: p99 of the worse wave over that of quiet, in the same run. Each phase takes as long.");
        writer.Text(Descriptors.Told);
        var groups = settings.Systems.SelectMany(s => ramps.Select(r => results.Where(x => x.System == s && x.Ramp.TotalSeconds == r).ToArray())).ToArray();
        writer.Table(
            ["system", "ramp s", "p50 ms quiet", "in the waves", "p99 ms quiet", "in the waves", "slower", "p99.9 ms quiet", "in the waves", "worst ms quiet", "in the waves", "fewest at once", "come again per s"],
            groups.Select(g => new[]
            {
                g[0].System, g[0].Ramp.TotalSeconds.ToString(CultureInfo.InvariantCulture),
                Of(g, r => r.Quiet.P50, "0.000"), Of(g, r => r.Worse(p => p.P50), "0.000"), Of(g, r => r.Quiet.P99, "0.00"), Of(g, r => r.Worse(p => p.P99), "0.00"),
                Of(g, r => r.Slower, "0.00"), Of(g, r => r.Quiet.P999, "0.0"), Of(g, r => r.Worse(p => p.P999), "0.0"),
                Of(g, r => r.Quiet.Max, "0.0"), Of(g, r => r.Worse(p => p.Max), "0.0"), Of(g, r => r.Fewest, "0"), Of(g, r => r.AgainPerSecond, "0"),
            }));
        writer.Table(
            ["system", "ramp s", "descriptors before", "in the waves", "after each", "RSS MB before", "in the waves", "after the first", "after the second", "longest turn ms quiet", "in the waves", "core busy quiet", "in the waves"],
            groups.Select(g => new[]
            {
                g[0].System, g[0].Ramp.TotalSeconds.ToString(CultureInfo.InvariantCulture),
                Of(g, r => r.Before.Descriptors, "0"), Of(g, r => r.Rows[2].Look.Descriptors, "0"), Of(g, r => r.Afters.Max(a => a.Descriptors), "0"),
                Of(g, r => r.Before.ResidentMb, "0.0"), Of(g, r => r.Rows.Max(x => x.Look.ResidentMb), "0.0"), Of(g, r => r.Afters[0].ResidentMb, "0.0"), Of(g, r => r.Afters[1].ResidentMb, "0.0"),
                Of(g, r => r.Quiet.LongestTurn, "0"), Of(g, r => r.Worse(p => p.LongestTurn), "0"), Of(g, r => r.Quiet.ProxyBusy, "P1"), Of(g, r => r.Worse(p => p.ProxyBusy), "P1"),
            }));
        var faults = results.Where(r => r.System == Peer.Holdfast).SelectMany(r => r.Faults().Select(f => $"ramp {r.Ramp.TotalSeconds:0.#}: {f}")).Distinct().ToArray();
        if (settings.Systems.Contains(Peer.Holdfast))
            writer.Text(faults.Length == 0 ? "The gate holds." : "THE GATE DOES NOT HOLD: " + string.Join("; ", faults));
        return faults.Length == 0;
    }

    private static string Of(IEnumerable<Result> results, Func<Result, double> value, string format) => Spread.Of(results.Select(value)).Text(format);

    private sealed record Result(
        string System, TimeSpan Ramp, List<(Phase Phase, SlowCrowdCounts Counts, Look Look)> Rows, Look Before, List<Look> Afters, Look Empty, Look Last, bool IsClean, long Sent)
    {
        public Phase Quiet => Rows[0].Phase;

        public double Slower => Worse(p => p.P99) / Quiet.P99;

        public int Fewest => Rows.Skip(1).Min(r => r.Counts.Fewest);

        public double AgainPerSecond => Rows[1].Counts.Cut / Rows[1].Phase.Seconds;

        public double Worse(Func<Phase, double> value) => Rows.Skip(1).Max(r => value(r.Phase));

        public IEnumerable<string> Faults()
        {
            if (!IsClean)
                yield return "live messages or connections were lost";
            if (Slower > MostSlower)
                yield return FormattableString.Invariant($"p99 {Slower:0.00} x quiet");
            if (Afters.Exists(a => a.Descriptors > Before.Descriptors + DescriptorSlack))
                yield return FormattableString.Invariant($"{Afters.Max(a => a.Descriptors) - Before.Descriptors} descriptors stayed open");
            if (Afters.Exists(a => a.Connections != Before.Connections))
                yield return "connections were left";
            if (Last.Descriptors > Empty.Descriptors + DescriptorSlack)
                yield return "descriptors were left after the live pairs had gone";
            if (Afters[1].ResidentMb > Afters[0].ResidentMb + ResidentSlackMb)
                yield return FormattableString.Invariant($"the second wave left {Afters[1].ResidentMb - Afters[0].ResidentMb:0.0} MB more than the first");
        }

        public override string ToString()
        {
            var culture = CultureInfo.InvariantCulture;
            var lines = Rows.Select(r => string.Create(culture,
                $"  {r.Phase.Name}: p50 {r.Phase.P50:0.000}, p99 {r.Phase.P99:0.000}, p99.9 {r.Phase.P999:0.00}, worst {r.Phase.Max:0.0} ms; load late p99 {r.Phase.LagP99:0.000}, worst {r.Phase.LagMax:0.0} ms; ")
                + string.Create(culture, $"core busy {r.Phase.ProxyBusy:P1}, others {r.Phase.OthersBusy:P1}, longest turn {r.Phase.LongestTurn} ms; RSS {r.Look.ResidentMb}, dirty {r.Look.PrivateDirtyMb}, heap {r.Look.ManagedHeapMb} MB, ")
                + $"fds {r.Look.Descriptors}; {r.Counts}");
            return string.Create(culture, $"{System}, ramp {Ramp.TotalSeconds} s: slower {Slower:0.00}\n") + string.Join('\n', lines)
                + string.Create(culture, $"\n  after: {Before}\n         {Afters[0]}\n         {Afters[1]}\n  empty: {Empty}\n  last: {Last}; {Sent} messages, {(IsClean ? "clean" : "FAULTS")}");
        }
    }
}
