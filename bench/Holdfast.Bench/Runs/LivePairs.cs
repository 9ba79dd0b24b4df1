using System.Net;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Runs;

/// <summary>What the live pairs and the machine did in one phase. Times in milliseconds; lag is how late the load itself was.</summary>
/// <param name="Messages">Answered in the phase.</param>
/// <param name="ProxyBusy">Share of its core that the proxy used, 0 to 1.</param>
/// <param name="OthersBusy">Cores kept busy by programs that are no part of the bench; 1 is one of them all the time.</param>
/// <param name="LongestTurn">Of a loop of Holdfast, in its clock's steps of 4 ms; -1: unknown.</param>
internal sealed record Phase(
    string Name, double Seconds, long Messages, double P50, double P99, double P999, double Max, double LagP99, double LagMax, double ProxyBusy,
    double OthersBusy, double Steal, long LongestTurn);

/// <summary>Connections that exchange checked echoes at a steady rate, over one process' life, cut into phases.</summary>
internal sealed class LivePairs : IDisposable
{
    // Longer than any bench; the end comes by Stop.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(9);
    private readonly LoadRun _run;
    private readonly Task<LoadReport> _running;
    private readonly GatewayWatch _watch;

    private LivePairs(LoadRun run, GatewayWatch watch)
    {
        _run = run;
        _watch = watch;
        _running = run.RunAsync();
    }

    /// <summary>All are open, and talk.</summary>
    /// <param name="connectRate">Dials per second: no more than the backend takes.</param>
    public static async Task<LivePairs> StartAsync(Peer peer, GatewayWatch watch, RelayCase load, int connectRate)
    {
        var options = RelayBench.OptionsOf(load) with { Url = peer.Url, Duration = Longest, ConnectRate = connectRate };
        var pairs = new LivePairs(new LoadRun(options, NativeAddress.From(new IPEndPoint(IPAddress.Loopback, peer.Port)), TimeProvider.System), watch);
        await Task.WhenAny(pairs._run.Started, pairs._running);
        await Pinning.GoFirstAsync("load");
        if (pairs._run.Snapshot().Open != load.Connections)
            throw new BenchException($"{peer.Name}: only {pairs._run.Snapshot().Open} of {load.Connections} live pairs could be opened");
        return pairs;
    }

    /// <summary>What happens while an action runs.</summary>
    public async Task<Phase> DuringAsync(string name, Func<Task> action)
    {
        await _watch.TakeLongestTurnAsync();
        var before = new Moment(_watch, _run.Snapshot());
        await action();
        var after = new Moment(_watch, _run.Snapshot());
        var turn = await _watch.TakeLongestTurnAsync();
        var latency = after.Live.Latency.Since(before.Live.Latency);
        var lag = after.Live.Lag.Since(before.Live.Lag);
        var seconds = TimeProvider.System.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds;
        return new Phase(name, seconds, latency.Count, Ms(latency.Percentile(50)), Ms(latency.Percentile(99)), Ms(latency.Percentile(99.9)), Ms(latency.Max),
            Ms(lag.Percentile(99)), Ms(lag.Max), after.Proxy.Since(before.Proxy) / seconds, after.OtherPrograms.CoresSince(before.OtherPrograms),
            after.Cores.StealSince(before.Cores), turn);
    }

    public async Task<LoadReport> StopAsync()
    {
        _run.Stop();
        return await _running;
    }

    public void Dispose() => _run.Dispose();

    private static double Ms(long microseconds) => microseconds / 1000.0;

    private sealed class Moment(GatewayWatch watch, LoadProgress live)
    {
        public long Timestamp { get; } = TimeProvider.System.GetTimestamp();

        public LoadProgress Live { get; } = live;

        public CoreTime Cores { get; } = CoreTime.Now();

        public CpuTime Proxy { get; } = CpuTime.Of(watch.ProcessId);

        public OtherPrograms OtherPrograms { get; } = OtherPrograms.Now([Environment.ProcessId, watch.ProcessId, .. watch.Others]);
    }
}
