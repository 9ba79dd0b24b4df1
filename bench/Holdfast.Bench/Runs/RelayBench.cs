using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Cli.Load;

namespace Holdfast.Bench.Runs;

/// <summary>CPU seconds of the proxy per million echoes, at fixed offered rates.</summary>
internal static class RelayBench
{
    // The gate: Holdfast's median at most this times nginx', and below HAProxy's.
    private const double AgainstNginx = 1.05;

    // Ten messages a turn at 50,000/s: load and backend stay well under their core, and no proxy pays for waking them.
    private static readonly TimeSpan Turn = TimeSpan.FromMicroseconds(200);

    public static async Task<int> RunAsync(BenchSettings settings, RelayCase[] cases)
    {
        using var backend = new EchoBackend(settings.Endpoints);
        var trial = new Trial(settings, backend);
        var writer = new ResultWriter("relay", settings, "run", "system", "size", "rate", "connections", "cpu_seconds_per_million", "echoes",
            "seconds", "proxy_busy", "load_busy", "steal", "p50_ms", "p99_ms", "max_lag_ms");
        var holds = true;
        foreach (var one in cases)
        {
            var results = new List<Measured>();
            for (var run = 1; run <= settings.Runs; run++)
            {
                foreach (var system in settings.Systems)
                {
                    var m = await trial.RunAsync(system, OptionsOf(one) with { Turn = Turn });
                    results.Add(m);
                    writer.Row(run, system, one.Size, one.Rate, one.Connections, Math.Round(m.CpuPerMillion, 3), m.Echoes,
                        Math.Round(m.Seconds, 3), Math.Round(m.ProxyBusy, 3), Math.Round(m.LoadBusy, 3),
                        Math.Round(m.Steal, 4), m.Report.LatencyMs!.P50, m.Report.LatencyMs.P99, m.Report.Schedule.MaxLagMs);
                    await Console.Error.WriteLineAsync(FormattableString.Invariant(
                        $"{one}: run {run}, {system}: {m.CpuPerMillion:0.00} CPU s per million; load's core {m.LoadBusy:P0} busy"));
                }
            }

            holds &= Report(writer, settings, one, results);
        }

        await writer.SaveAsync();
        return holds ? 0 : 1;
    }

    public static LoadOptions OptionsOf(RelayCase one) => new()
    {
        Url = new Uri("ws://localhost/"),
        Connections = one.Connections,
        Rate = one.Rate,
        Size = one.Size,
        ConnectRate = 4000,
    };

    private static bool Report(ResultWriter writer, BenchSettings settings, RelayCase one, List<Measured> results)
    {
        Spread Of(string system, Func<Measured, double> value) => Spread.Of(results.Where(r => r.System == system).Select(value));

        writer.Text($"## {one}");
        writer.Table(["system", "CPU s per million echoes", "proxy's core busy", "load's core busy", "p50 ms", "p99 ms"],
            settings.Systems.Select(s => new[]
            {
                s, Of(s, r => r.CpuPerMillion).Text("0.00"), Of(s, r => r.ProxyBusy).Text("P0"), Of(s, r => r.LoadBusy).Text("P0"),
                Of(s, r => r.Report.LatencyMs!.P50).Text("0.000"), Of(s, r => r.Report.LatencyMs!.P99).Text("0.000"),
            }));
        var (nginx, haproxy, holdfast) = (Of(Peer.Nginx, r => r.CpuPerMillion).Median, Of(Peer.Haproxy, r => r.CpuPerMillion).Median,
            Of(Peer.Holdfast, r => r.CpuPerMillion).Median);
        if (double.IsNaN(holdfast) || double.IsNaN(nginx) || double.IsNaN(haproxy))
            return true;
        var holds = holdfast <= AgainstNginx * nginx && holdfast < haproxy;
        writer.Text(FormattableString.Invariant($"Holdfast is {holdfast / nginx:0.000} x nginx and {holdfast / haproxy:0.000} x HAProxy.")
            + (one.IsGate ? holds ? " The gate holds." : " THE GATE DOES NOT HOLD." : ""));
        return holds || !one.IsGate;
    }
}
