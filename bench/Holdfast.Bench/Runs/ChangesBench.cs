using System.Globalization;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;

namespace Holdfast.Bench.Runs;

/// <summary>
/// Connections under load while the configuration file is changed over and over, beside the same load in quiet. The peers reload, as their
/// manuals say; once more with a limit on how long their old processes live on.
/// </summary>
internal static class ChangesBench
{
    /// <summary>Opened by each change, over the route that it brings.</summary>
    private const int Newcomers = 5;

    /// <summary>Idle connections on the endpoint that is removed.</summary>
    private const int Leavers = 50;

    // The gate: Holdfast's medians of the worst echo, with and without changes, differ by no more.
    private const double MostAddedMs = 50;

    private const int Attempts = 4;

    private enum Phase
    {
        Quiet,
        Changes,
        Stopped,
    }

    /// <param name="changes">So many in each window.</param>
    /// <param name="every">From the start of one to the next, if it has taken effect by then.</param>
    /// <param name="stopAfter">Seconds, for the peers' third phase.</param>
    public static async Task<int> RunAsync(BenchSettings settings, RelayCase load, int changes, TimeSpan every, int stopAfter)
    {
        using var backend = new EchoBackend(settings.Endpoints + 1);
        var trial = new Trial(settings, backend);
        var writer = new ResultWriter("changes", settings, "run", "system", "phase", "changes", "disconnects", "lost", "newcomers", "newcomers_lost",
            "leavers", "leavers_closed", "max_ms", "p999_ms", "p99_ms", "max_lag_ms", "effect_median_ms", "effect_max_ms", "processes", "private_dirty_mb")
        {
            TemplateKind = ConfigurationChange.Kind,
        };
        var results = new List<Result>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var system in settings.Systems)
            {
                foreach (var phase in system == Peer.Holdfast || run > 1 ? (Phase[])[Phase.Quiet, Phase.Changes] : [Phase.Quiet, Phase.Changes, Phase.Stopped])
                {
                    var first = new ConfigurationChange(0, changes, backend.Endpoints[..^1], backend.Endpoints[^1], phase == Phase.Stopped ? stopAfter : null);
                    var result = await MeasureAsync(trial, settings, system, phase, load, first, every);
                    results.Add(result);
                    Row(writer, run, result);
                }
            }
        }

        var holds = Report(writer, settings, load, results, changes, every, stopAfter);
        await writer.SaveAsync();
        return holds ? 0 : 1;
    }

    /// <summary>Until the machine was quiet enough for it to count.</summary>
    private static async Task<Result> MeasureAsync(
        Trial trial, BenchSettings settings, string system, Phase phase, RelayCase load, ConfigurationChange first, TimeSpan every)
    {
        var why = "";
        for (var attempt = 1; attempt <= Attempts; attempt++)
        {
            await using var peer = await Peer.StartAsync(system, first.Endpoints, first);
            using var crowd = new Crowd(peer, first, every);
            var measured = await trial.MeasureAsync(peer, RelayBench.OptionsOf(load), async () =>
            {
                var begin = TimeProvider.System.GetTimestamp();
                // In quiet, too: the same connections, whatever happens to them.
                await crowd.OpenLeaversAsync(Leavers);
                if (phase != Phase.Quiet)
                    await crowd.ChangeAsync();
                // At the window's end, but before the load's: the application ends with that, and every connection with it.
                var rest = settings.Measure - TimeProvider.System.GetElapsedTime(begin);
                if (rest > TimeSpan.Zero)
                    await Task.Delay(rest);
                crowd.Count();
            });
            if (trial.Disturbance(measured) is { } disturbance)
            {
                why = disturbance;
                await Console.Error.WriteLineAsync($"{system}, {phase}: refused ({disturbance}), run again");
                continue;
            }

            return new Result(system, phase, measured, crowd);
        }

        throw new BenchException($"{system}, {phase}: no run counted in {Attempts} attempts; the last: {why}");
    }

    private static void Row(ResultWriter writer, int run, Result r)
    {
        var (report, latency) = (r.Measured.Report, r.Measured.Report.LatencyMs!);
        writer.Row(run, r.System, NameOf(r.Phase), r.Effects.Count, report.Disconnects, report.Lost, r.Newcomers, r.NewcomersLost, r.Leavers, r.LeaversClosed,
            latency.Max, latency.P999, latency.P99, report.Schedule.MaxLagMs, r.EffectMedian, r.EffectMax, r.Processes, r.PrivateDirtyMb);
        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"run {run}, {r.System}, {NameOf(r.Phase)}: {r.Effects.Count} changes, {report.Disconnects} of {report.Connected} disconnected, ")
            + string.Create(CultureInfo.InvariantCulture, $"{r.NewcomersLost} of {r.Newcomers} newcomers, {r.LeaversClosed} of {r.Leavers} on the removed endpoint; ")
            + string.Create(CultureInfo.InvariantCulture,
                $"worst {latency.Max:0.0} ms (load late by {report.Schedule.MaxLagMs:0.0}); in effect after {r.EffectMedian:0} ms; {r.Processes} processes, {r.PrivateDirtyMb:0} MB"));
    }

    /// <summary>Writes the page; whether the gate holds.</summary>
    private static bool Report(
        ResultWriter writer, BenchSettings settings, RelayCase load, List<Result> results, int changes, TimeSpan every, int stopAfter)
    {
        Spread Of(string system, Phase phase, Func<Result, double> value) =>
            Spread.Of(results.Where(r => r.System == system && r.Phase == phase).Select(value));

        writer.Text(string.Create(CultureInfo.InvariantCulture,
            $"{load}; {changes} changes of routes, endpoints and limits, one each {every.TotalMilliseconds:0} ms, written to the file. "
            + $"Each brings {Newcomers} connections over its own route; one removes an endpoint with {Leavers} connections. ")
            + "Holdfast watches the file; `nginx -s reload`; SIGUSR2 to HAProxy's master. Disconnected: of the load's connections, on endpoints that stay.");
        writer.Text(string.Create(CultureInfo.InvariantCulture,
            $"By default nginx (`worker_shutdown_timeout`) and HAProxy (`hard-stop-after`) let old processes live until their last connection ends; ")
            + $"\"changes, limited\" is the first run with both at {stopAfter} s, as ingress controllers limit them (ingress-nginx: 240 s; HAProxy's own controller: 30 min). "
            + "The load's own lateness is part of the worst echo.");
        var rows = settings.Systems.SelectMany(s => Enum.GetValues<Phase>().Select(p => (System: s, Phase: p)))
            .Where(r => results.Exists(x => x.System == r.System && x.Phase == r.Phase));
        writer.Table(
            [
                "system", "phase", "disconnected", "newcomers lost", "closed on the removed endpoint", "worst echo ms", "p99.9 ms", "load's worst lag ms",
                "in effect after ms", "processes at the end", "their memory MB",
            ],
            rows.Select(r => new[]
            {
                r.System, NameOf(r.Phase),
                Of(r.System, r.Phase, x => x.Measured.Report.Disconnects).Text("0"), Of(r.System, r.Phase, x => x.NewcomersLost).Text("0"),
                Of(r.System, r.Phase, x => x.LeaversClosed).Text("0"), Of(r.System, r.Phase, x => x.Measured.Report.LatencyMs!.Max).Text("0.0"),
                Of(r.System, r.Phase, x => x.Measured.Report.LatencyMs!.P999).Text("0.0"), Of(r.System, r.Phase, x => x.Measured.Report.Schedule.MaxLagMs).Text("0.0"),
                r.Phase == Phase.Quiet ? "" : Of(r.System, r.Phase, x => x.EffectMedian).Text("0"), Of(r.System, r.Phase, x => x.Processes).Text("0"),
                Of(r.System, r.Phase, x => x.PrivateDirtyMb).Text("0"),
            }));
        if (!settings.Systems.Contains(Peer.Holdfast))
            return true;
        var added = Of(Peer.Holdfast, Phase.Changes, x => x.Measured.Report.LatencyMs!.Max).Median
            - Of(Peer.Holdfast, Phase.Quiet, x => x.Measured.Report.LatencyMs!.Max).Median;
        var ours = results.Where(r => r.System == Peer.Holdfast).ToList();
        var clean = ours.TrueForAll(r => r.Measured.Report.IsClean && r.NewcomersLost == 0 && (r.Phase != Phase.Quiet || r.LeaversClosed == 0));
        var drained = ours.TrueForAll(r => r.Phase == Phase.Quiet || (r.LeaversClosed == r.Leavers && r.LeaversTold == r.Leavers));
        writer.Text(string.Create(CultureInfo.InvariantCulture, $"Holdfast: the medians of the worst echo differ by {added:0.0} ms; ")
            + (clean ? "no connection or message was lost" : "CONNECTIONS OR MESSAGES WERE LOST")
            + (drained ? ", and those on the removed endpoint were closed with 1012." : ", and a window ended before the removed endpoint was drained (drain.duration).")
            + (clean && Math.Abs(added) <= MostAddedMs ? " The gate holds." : " THE GATE DOES NOT HOLD."));
        return clean && Math.Abs(added) <= MostAddedMs;
    }

    private static string NameOf(Phase phase) => phase switch
    {
        Phase.Quiet => "quiet",
        Phase.Changes => "changes",
        _ => "changes, limited",
    };

    /// <summary>One window, with what became of the connections beside the load.</summary>
    private sealed class Result(string system, Phase phase, Measured measured, Crowd crowd)
    {
        public string System { get; } = system;

        public Phase Phase { get; } = phase;

        public Measured Measured { get; } = measured;

        /// <summary>Milliseconds from the write of each change to the first handshake over the route it brings.</summary>
        public List<double> Effects { get; } = crowd.Effects;

        public int Newcomers { get; } = crowd.Newcomers.Count;

        public int NewcomersLost { get; } = crowd.NewcomersLost;

        public int Leavers { get; } = crowd.Leavers.Count;

        public int LeaversClosed { get; } = crowd.LeaversClosed;

        public int LeaversTold { get; } = crowd.LeaversTold;

        public int Processes { get; } = crowd.Processes;

        public double PrivateDirtyMb { get; } = crowd.PrivateDirty / 1e6;

        public double EffectMedian => Effects.Count == 0 ? 0 : Math.Round(Spread.Of(Effects).Median, 1);

        public double EffectMax => Effects.Count == 0 ? 0 : Math.Round(Effects.Max(), 1);
    }

    /// <summary>Changes the configuration, and opens connections that the changes let in or should not touch.</summary>
    private sealed class Crowd(Peer peer, ConfigurationChange first, TimeSpan every) : IDisposable
    {
        private static readonly TimeSpan EffectPatience = TimeSpan.FromSeconds(30);

        public List<double> Effects { get; } = [];

        public List<Visitor> Newcomers { get; } = [];

        public List<Visitor> Leavers { get; } = [];

        public int NewcomersLost { get; private set; }

        public int LeaversClosed { get; private set; }

        /// <summary>Of those closed, with 1012.</summary>
        public int LeaversTold { get; private set; }

        public int Processes { get; private set; }

        public long PrivateDirty { get; private set; }

        public async Task OpenLeaversAsync(int count)
        {
            for (var i = 0; i < count; i++)
                Leavers.Add(await Visitor.TryOpenAsync(peer.Port, "/leaving") ?? throw new BenchException($"{peer.Name}: /leaving was refused"));
        }

        public async Task ChangeAsync()
        {
            var begin = TimeProvider.System.GetTimestamp();
            for (var number = 1; number <= first.Of; number++)
            {
                var change = first with { Number = number };
                var written = TimeProvider.System.GetTimestamp();
                await peer.ChangeAsync(change);
                for (var i = 0; i < ChangesBench.Newcomers; i++)
                {
                    Newcomers.Add(await OpenAsync(change.Path, written));
                    if (i == 0)
                        Effects.Add(TimeProvider.System.GetElapsedTime(written).TotalMilliseconds);
                }

                var wait = (every * number) - TimeProvider.System.GetElapsedTime(begin);
                if (wait > TimeSpan.Zero)
                    await Task.Delay(wait);
            }

            if (TimeProvider.System.GetElapsedTime(begin) > (every * first.Of) + TimeSpan.FromSeconds(1))
                throw new BenchException($"{peer.Name}: {first.Of} changes took longer than the window; raise --every and --measure");
        }

        public void Count()
        {
            NewcomersLost = Newcomers.Count(v => v.Ended.IsCompleted);
            LeaversClosed = Leavers.Count(v => v.Ended.IsCompleted);
            LeaversTold = Leavers.Count(v => v.Ended.IsCompleted && v.Code == 1012);
            Processes = ProcessTree.Of(peer.ProcessId).Count;
            PrivateDirty = Memory.Of(peer.ProcessId).PrivateDirty;
        }

        public void Dispose()
        {
            Newcomers.ForEach(v => v.Dispose());
            Leavers.ForEach(v => v.Dispose());
        }

        /// <summary>Asks until the route is in force: while a reload is under way, old and new processes answer by turns.</summary>
        private async Task<Visitor> OpenAsync(string path, long since)
        {
            while (TimeProvider.System.GetElapsedTime(since) < EffectPatience)
            {
                if (await Visitor.TryOpenAsync(peer.Port, path) is { } visitor)
                    return visitor;
                await Task.Delay(TimeSpan.FromMilliseconds(10));
            }

            throw new BenchException($"{peer.Name}: {path} did not take effect in {EffectPatience.TotalSeconds} s");
        }
    }
}
