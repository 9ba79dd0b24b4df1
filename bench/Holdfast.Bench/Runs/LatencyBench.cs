using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;

namespace Holdfast.Bench.Runs;

/// <summary>What each system adds to the round trip of an echo, over the same load without a proxy.</summary>
internal static class LatencyBench
{
    public static async Task<int> RunAsync(BenchSettings settings, RelayCase load)
    {
        using var backend = new EchoBackend(settings.Endpoints);
        var trial = new Trial(settings, backend);
        var writer = new ResultWriter("latency", settings,
            "run", "system", "p50_ms", "p99_ms", "p999_ms", "max_ms", "proxy_busy", "max_lag_ms", "steal");
        var results = new List<Measured>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var system in settings.Systems)
            {
                var m = await trial.RunAsync(system, RelayBench.OptionsOf(load));
                results.Add(m);
                var latency = m.Report.LatencyMs!;
                writer.Row(run, system, latency.P50, latency.P99, latency.P999, latency.Max, Math.Round(m.ProxyBusy, 3),
                    m.Report.Schedule.MaxLagMs, Math.Round(m.Steal, 4));
                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {system}: p50 {latency.P50:0.000}, p99 {latency.P99:0.000}, p99.9 {latency.P999:0.000} ms; ")
                    + FormattableString.Invariant($"proxy's core {m.ProxyBusy:P0} busy"));
            }
        }

        Spread Of(string system, Func<Measured, double> value) => Spread.Of(results.Where(r => r.System == system).Select(value));
        string Added(string system, Func<Measured, double> value)
        {
            var (all, direct) = (Of(system, value), Of(Peer.Direct, value).Median);
            var added = system == Peer.Direct || double.IsNaN(direct) ? "" : FormattableString.Invariant($", adds {all.Median - direct:0.000}");
            return all.Text("0.000") + added;
        }

        writer.Text($"{load}. Milliseconds from the due time to the whole answer; \"adds\" is the median less the direct one.");
        writer.Table(["system", "p50", "p99", "p99.9", "proxy's core busy"], settings.Systems.Select(s => new[]
        {
            s, Added(s, r => r.Report.LatencyMs!.P50), Added(s, r => r.Report.LatencyMs!.P99), Added(s, r => r.Report.LatencyMs!.P999),
            Of(s, r => r.ProxyBusy).Text("P0"),
        }));
        await writer.SaveAsync();
        return 0;
    }
}
