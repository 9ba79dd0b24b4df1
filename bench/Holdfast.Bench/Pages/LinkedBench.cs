using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Bench.Runs;

namespace Holdfast.Bench.Pages;

/// <summary>The ways of a WebSocket into a system: a connection of its own, one that had another request before, and TLS. CPU per echo and memory per idle pair of each.</summary>
internal static class LinkedBench
{
    private const string Direct = "direct", KeptAlive = "kept-alive", Tls = "tls";

    public static async Task<int> RunAsync(BenchSettings settings, RelayCase load, string[] ways, int few, int many)
    {
        if (ways.Except([Direct, KeptAlive, Tls], StringComparer.Ordinal).FirstOrDefault() is { } unknown)
            throw new BenchException($"There is no way '{unknown}'; give some of {Direct}, {KeptAlive}, {Tls}");
        using var backend = new EchoBackend(settings.Endpoints);
        var trial = new Trial(settings, backend);
        var writer = new ResultWriter("linked", settings, "run", "system", "way", "cpu_seconds_per_million", "p50_ms", "p99_ms", "proxy_busy", "load_busy", "max_lag_ms", "steal", "bytes_per_idle_pair")
        {
            TemplateKind = PeerConfiguration.Http,
        };
        var results = new List<(string System, string Way, Measured Measured, double Slope)>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var (system, way) in settings.Systems.SelectMany(s => ways.Select(w => (s, w))))
            {
                var m = await trial.RunAsync(system, RelayBench.OptionsOf(load) with { KeptAlive = way == KeptAlive, ConnectRate = 1000 }, name => StartAsync(name, way, backend));
                var slope = await SlopeAsync(settings, system, way, backend, few, many);
                results.Add((system, way, m, slope));
                writer.Row(run, system, way, Math.Round(m.CpuPerMillion, 3), m.Report.LatencyMs!.P50, m.Report.LatencyMs.P99, Math.Round(m.ProxyBusy, 3), Math.Round(m.LoadBusy, 3),
                    m.Report.Schedule.MaxLagMs, Math.Round(m.Steal, 4), Math.Round(slope));
                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {system}, {way}: {m.CpuPerMillion:0.0} CPU s per million echoes, p99 {m.Report.LatencyMs.P99:0.00} ms, {slope:0} bytes per idle pair"));
            }
        }

        Spread Of(string system, string way, Func<(string System, string Way, Measured Measured, double Slope), double> value) =>
            Spread.Of(results.Where(r => r.System == system && r.Way == way).Select(value));
        writer.Text($"{load}. {Direct}: the upgrade is the first request of its connection. {KeptAlive}: a HEAD request goes before. {Tls}: the first request, TLS 1.3, http/1.1; "
            + $"another program on the load's core speaks TLS for the load, which is in the latencies. Memory: slope of Private_Dirty from {few} to {many} idle pairs.");
        writer.Table(["system", "way", "CPU s per million echoes", "p50 ms", "p99 ms", "proxy's core busy", "bytes per idle pair"],
            settings.Systems.SelectMany(s => ways.Select(w => new[]
            {
                s, w, Of(s, w, r => r.Measured.CpuPerMillion).Text("0.0"), Of(s, w, r => r.Measured.Report.LatencyMs!.P50).Text("0.000"), Of(s, w, r => r.Measured.Report.LatencyMs!.P99).Text("0.00"),
                Of(s, w, r => r.Measured.ProxyBusy).Text("P0"), Of(s, w, r => r.Slope).Text("0"),
            })));
        await writer.SaveAsync();
        return 0;
    }

    private static async Task<Peer> StartAsync(string system, string way, EchoBackend backend)
    {
        var peer = await Peer.StartAsync(system, backend.Endpoints, pages: backend.Endpoints);
        if (way == Tls)
            await peer.UseTlsAsync();
        return peer;
    }

    private static async Task<double> SlopeAsync(BenchSettings settings, string system, string way, EchoBackend backend, int few, int many)
    {
        await using var peer = await StartAsync(system, way, backend);
        await using var first = await IdlePairs.OpenAsync(peer, few, backend, way == KeptAlive);
        await Task.Delay(settings.Measure);
        var low = Memory.Of(peer.ProcessId);
        await using var second = await IdlePairs.OpenAsync(peer, many - few, guest: null, way == KeptAlive);
        await Task.Delay(settings.Measure);
        return (double)(Memory.Of(peer.ProcessId).PrivateDirty - low.PrivateDirty) / (many - few);
    }
}
