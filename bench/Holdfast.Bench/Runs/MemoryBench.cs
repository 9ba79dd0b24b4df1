using System.Net;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Runs;

/// <summary>User memory per idle pair, as the slope between two numbers of pairs, and of the process before any.</summary>
internal static class MemoryBench
{
    private const double GateBytes = 1024;

    public static async Task<int> RunAsync(BenchSettings settings, int few, int many)
    {
        using var backend = new EchoBackend(settings.Endpoints);
        var writer = new ResultWriter("memory", settings, "run", "system", "pairs", "private_dirty", "resident");
        var slopes = new List<(string System, double Slope, Memory Empty)>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var system in settings.Systems.Where(s => s != Peer.Direct))
            {
                await using var peer = await Peer.StartAsync(system, backend.Endpoints);
                await Task.Delay(settings.WarmUp);
                var empty = Memory.Of(peer.ProcessId);
                await using var first = await IdlePairs.OpenAsync(peer, few, backend);
                await Task.Delay(settings.Measure);
                var low = Memory.Of(peer.ProcessId);
                await using var second = await IdlePairs.OpenAsync(peer, many - few, guest: null);
                await Task.Delay(settings.Measure);
                var high = Memory.Of(peer.ProcessId);
                var slope = (double)(high.PrivateDirty - low.PrivateDirty) / (many - few);
                slopes.Add((system, slope, empty));
                foreach (var (pairs, memory) in new[] { (0, empty), (few, low), (many, high) })
                    writer.Row(run, system, pairs, memory.PrivateDirty, memory.Resident);
                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {system}: {slope:0} bytes per idle pair; ")
                    + FormattableString.Invariant($"empty {empty.PrivateDirty / 1e6:0.0} MB private, {empty.Resident / 1e6:0.0} MB resident"));
            }
        }

        Spread Of(string system, Func<(string System, double Slope, Memory Empty), double> value) =>
            Spread.Of(slopes.Where(s => s.System == system).Select(value));
        writer.Text($"Slope of Private_Dirty from {few} to {many} idle pairs, all processes of the system together; "
            + $"{settings.Measure.TotalSeconds:0} s of rest before each look.");
        writer.Table(["system", "bytes per idle pair", "before any connection: Private_Dirty MB", "Rss MB"],
            settings.Systems.Where(s => s != Peer.Direct).Select(s => new[]
            {
                s, Of(s, x => x.Slope).Text("0"), Of(s, x => x.Empty.PrivateDirty / 1e6).Text("0.0"), Of(s, x => x.Empty.Resident / 1e6).Text("0.0"),
            }));
        var holdfast = Of(Peer.Holdfast, s => s.Slope).Median;
        var holds = double.IsNaN(holdfast) || holdfast <= GateBytes;
        if (!double.IsNaN(holdfast))
            writer.Text(holds ? "The gate (1,024 bytes) holds." : "THE GATE (1,024 bytes) DOES NOT HOLD.");
        await writer.SaveAsync();
        return holds ? 0 : 1;
    }
}

/// <summary>
/// Open connections on which nothing is said, until disposed. The backend lives on the thread of the first, which is disposed last.
/// </summary>
internal sealed class IdlePairs : IAsyncDisposable
{
    private readonly LoadRun _run;
    private readonly Task<LoadReport> _running;

    private IdlePairs(LoadRun run)
    {
        _run = run;
        _running = run.RunAsync();
    }

    /// <param name="keptAlive">Each had another request before.</param>
    public static async Task<IdlePairs> OpenAsync(Peer peer, int count, EchoBackend? guest, bool keptAlive = false)
    {
        var options = new LoadOptions { Url = peer.Url, Connections = count, Rate = 0, Duration = TimeSpan.FromHours(1), ConnectRate = 2000, KeptAlive = keptAlive };
        var target = NativeAddress.From(new IPEndPoint(IPAddress.Loopback, peer.LoadPort));
        var pairs = new IdlePairs(new LoadRun(options, target, TimeProvider.System, guest));
        await Task.WhenAny(pairs._run.Started, pairs._running);
        if (pairs._run.Snapshot().Open == count)
            return pairs;
        await pairs.DisposeAsync();
        var report = await pairs._running;
        throw new BenchException($"{peer.Name}: {report.Connected} of {count} connections opened: {string.Join(", ", report.Failed.Keys)}");
    }

    public async ValueTask DisposeAsync()
    {
        _run.Stop();
        await _running;
        _run.Dispose();
    }
}
