using System.Net;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Runs;

/// <summary>What one measured window gave.</summary>
/// <param name="ProxyCpu">CPU seconds of the system's processes in the window.</param>
/// <param name="LoadBusy">Share of its core that load and backend used, 0 to 1.</param>
/// <param name="Echoes">Answers that came in the window.</param>
/// <param name="Steal">Share of all cores' time that the host took away, 0 to 1.</param>
internal sealed record Measured(string System, double ProxyCpu, double LoadBusy, long Echoes, double Seconds, double Steal, LoadReport Report)
{
    public double CpuPerMillion => Echoes == 0 ? double.NaN : ProxyCpu / Echoes * 1_000_000;

    public double Rate => Echoes / Seconds;

    public double ProxyBusy => ProxyCpu / Seconds;
}

/// <summary>One run of one system at one load, and whether it counts.</summary>
internal sealed class Trial(BenchSettings settings, EchoBackend backend)
{
    private const int Attempts = 4;

    // The load goes on while the end of the window is read, or a late look would find an idle proxy.
    private static readonly TimeSpan Beyond = TimeSpan.FromSeconds(1);

    /// <summary>Runs until the result counts; a fresh process of the system each time.</summary>
    /// <param name="start">How the system is started; null: with the common templates.</param>
    /// <exception cref="BenchException">It did not in <see cref="Attempts"/> attempts.</exception>
    public async Task<Measured> RunAsync(string system, LoadOptions options, Func<string, Task<Peer>>? start = null)
    {
        var why = "";
        for (var attempt = 1; attempt <= Attempts; attempt++)
        {
            await using var peer = await (start?.Invoke(system) ?? Peer.StartAsync(system, backend.Endpoints));
            var measured = await MeasureAsync(peer, options);
            if (Refusal(measured, options) is not { } refusal)
                return measured;
            why = refusal;
            await Console.Error.WriteLineAsync($"{system}: refused ({refusal}), run again");
        }

        throw new BenchException($"{system}: no run counted in {Attempts} attempts; the last: {why}");
    }

    /// <summary>One window behind a system that is running already.</summary>
    public async Task<Measured> MeasureAsync(Peer peer, LoadOptions options, Func<Task>? meanwhile = null)
    {
        var target = NativeAddress.From(new IPEndPoint(IPAddress.Loopback, peer.LoadPort));
        var whole = options with { Url = peer.Url, WarmUp = settings.WarmUp, Duration = settings.Measure + Beyond };
        using var run = new LoadRun(whole, target, TimeProvider.System, backend);
        var running = run.RunAsync();
        await Task.WhenAny(run.Started, running);
        await Task.Delay(settings.WarmUp);
        var before = Moment.Take(peer.ProcessId, run);
        await Task.WhenAll(Task.Delay(settings.Measure), meanwhile?.Invoke() ?? Task.CompletedTask);
        var after = Moment.Take(peer.ProcessId, run);
        var report = await running;
        var seconds = TimeProvider.System.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds;
        return new Measured(peer.Name, after.Proxy.Since(before.Proxy), after.Self.Since(before.Self) / seconds,
            after.Received - before.Received, seconds, after.Cores.StealSince(before.Cores), report);
    }

    /// <summary>Why a result may not be used though its load is clean or need not be: the machine was busy with something else. Null when it may.</summary>
    public string? Disturbance(Measured measured)
    {
        if (measured.Steal > 0.01)
            return $"steal {measured.Steal:P1}";
        var schedule = measured.Report.Schedule;
        var maxLag = settings.MaxLag.TotalMilliseconds;
        return schedule.MaxLagMs > maxLag || schedule.P99LagMs > maxLag / 10
            ? $"the load was late: p99 {schedule.P99LagMs:0.0} ms, max {schedule.MaxLagMs:0.0} ms"
            : null;
    }

    /// <summary>Why a result may not be used; null when it may.</summary>
    private string? Refusal(Measured measured, LoadOptions options)
    {
        var report = measured.Report;
        if (!report.IsClean)
        {
            return $"the load found faults: {report.FailedCount} failed, {report.Lost} lost, {report.Duplicated} duplicated, "
                + $"{report.Reordered} reordered, {report.Corrupted} corrupted, {report.Disconnects} disconnects, {report.NotSent} not sent {string.Join(", ", report.Failed.Keys)}".TrimEnd();
        }

        if (!settings.Noisy && Disturbance(measured) is { } disturbance)
            return disturbance;
        return !settings.Noisy && options.Rate > 0 && measured.Rate < 0.995 * options.Rate ? $"only {measured.Rate:0}/s of {options.Rate:0}/s came back" : null;
    }

    private sealed record Moment(CpuTime Proxy, CpuTime Self, CoreTime Cores, long Received, long Timestamp)
    {
        public static Moment Take(int proxy, LoadRun run) =>
            new(proxy == 0 ? CpuTime.None : CpuTime.Of(proxy), CpuTime.OfThisProcess(), CoreTime.Now(), run.Snapshot().Received,
                TimeProvider.System.GetTimestamp());
    }
}
