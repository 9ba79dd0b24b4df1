using System.Net;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Runs;

/// <summary>New connections: handshakes per second with up to 256 under way, and the proxy's CPU for a handshake and its close.</summary>
internal static class ConnectsBench
{
    public static async Task<int> RunAsync(BenchSettings settings, int connections)
    {
        using var backend = new EchoBackend(settings.Endpoints);
        var writer = new ResultWriter("connects", settings,
            "run", "system", "connections", "per_second", "cpu_microseconds_per_connection", "load_busy");
        var results = new List<(string System, double Rate, double Cpu, double Busy)>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var system in settings.Systems)
            {
                await using var peer = await Peer.StartAsync(system, backend.Endpoints);

                // The first round pays for the JIT and the pools.
                await OpenAndCloseAsync(peer, backend, connections);
                var (rate, cpu, busy) = await OpenAndCloseAsync(peer, backend, connections);
                results.Add((system, rate, cpu, busy));
                writer.Row(run, system, connections, Math.Round(rate), Math.Round(cpu, 1), Math.Round(busy, 3));
                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {system}: {rate:0} connections/s, {cpu:0} us of CPU each; load's core {busy:P0} busy while opening"));
            }
        }

        Spread Of(string system, Func<(string System, double Rate, double Cpu, double Busy), double> value) =>
            Spread.Of(results.Where(r => r.System == system).Select(value));
        writer.Text($"{connections} connections opened as fast as they go, then closed by Close 1000. "
            + "A load's core near 100 % means that the rate is the load's, not the proxy's.");
        writer.Table(["system", "connections per second", "CPU us per connection (handshake and close)", "load's core busy"],
            settings.Systems.Select(s => new[] { s, Of(s, r => r.Rate).Text("0"), Of(s, r => r.Cpu).Text("0"), Of(s, r => r.Busy).Text("P0") }));
        await writer.SaveAsync();
        return 0;
    }

    private static async Task<(double Rate, double Cpu, double Busy)> OpenAndCloseAsync(Peer peer, EchoBackend backend, int connections)
    {
        var options = new LoadOptions
        {
            Url = peer.Url,
            Connections = connections,
            Rate = 0,
            Duration = TimeSpan.FromMilliseconds(1),
            ConnectRate = 1_000_000,
        };
        var proxy = peer.ProcessId == 0 ? CpuTime.None : CpuTime.Of(peer.ProcessId);
        var self = CpuTime.OfThisProcess();
        var begin = TimeProvider.System.GetTimestamp();
        using var run = new LoadRun(options, NativeAddress.From(new IPEndPoint(IPAddress.Loopback, peer.Port)), TimeProvider.System, backend);
        var running = run.RunAsync();
        await Task.WhenAny(run.Started, running);
        var opening = TimeProvider.System.GetElapsedTime(begin).TotalSeconds;
        var busy = CpuTime.OfThisProcess().Since(self) / opening;
        var report = await running;
        if (!report.IsClean)
        {
            throw new BenchException($"{peer.Name}: {report.Connected} of {connections} opened, {report.Disconnects} disconnects: "
                + string.Join(", ", report.Failed.Keys));
        }

        var cpu = peer.ProcessId == 0 ? 0 : CpuTime.Of(peer.ProcessId).Since(proxy);
        return (connections / opening, cpu / connections * 1e6, busy);
    }
}
