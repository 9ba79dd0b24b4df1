using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Holdfast.Bench.Crowds;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Bench.Runs;

namespace Holdfast.Bench.Pages;

/// <summary>What idle WebSockets over TLS cost: memory, and the worst echo of plain ones beside them; and TLS handshakes.</summary>
internal static partial class TlsBench
{
    private sealed record Result(string System, IReadOnlyList<(int Idle, Phase Phase, Memory Memory, int Descriptors)> Steps, double Slope, double Handshakes, double HandshakeCpu, double LoadBusy);

    /// <param name="idle">Numbers of idle pairs, ascending, the first 0.</param>
    /// <param name="clients">Programs that do handshakes at once.</param>
    public static async Task<int> RunAsync(BenchSettings settings, RelayCase live, int[] idle, int clients)
    {
        if (idle is not [0, _, _, ..])
            throw new BenchException("--idle takes 0 and two more numbers at least");
        var writer = new ResultWriter("tls", settings, "run", "system", "idle", "p50_ms", "p99_ms", "p999_ms", "max_ms", "max_lag_ms", "private_dirty", "resident", "descriptors", "others_busy", "slope",
            "handshakes_per_second", "cpu_us_per_handshake", "load_busy")
        {
            TemplateKind = PeerConfiguration.Http,
        };
        var results = new List<Result>();
        for (var run = 1; run <= settings.Runs; run++)
        {
            foreach (var system in settings.Systems)
            {
                var r = await MeasureAsync(settings, system, live, idle, clients);
                results.Add(r);
                foreach (var (count, p, memory, descriptors) in r.Steps)
                {
                    writer.Row(run, system, count, p.P50, p.P99, p.P999, p.Max, p.LagMax, memory.PrivateDirty, memory.Resident, descriptors, Math.Round(p.OthersBusy, 3), Math.Round(r.Slope),
                        Math.Round(r.Handshakes), Math.Round(r.HandshakeCpu), Math.Round(r.LoadBusy, 3));
                }

                await Console.Error.WriteLineAsync(FormattableString.Invariant(
                    $"run {run}, {system}: {r.Slope:0} bytes per idle TLS pair; worst plain echo {string.Join(", ", r.Steps.Select(s => FormattableString.Invariant($"{s.Phase.Max:0.0} ({s.Idle})")))} ms; {r.Handshakes:0} handshakes/s, {r.HandshakeCpu:0} us each"));
            }
        }

        Spread Of(string system, Func<Result, double> value) => Spread.Of(results.Where(r => r.System == system).Select(value));
        writer.Text($"TLS 1.3, ECDSA P-256. Slope of Private_Dirty from {idle[1]} to {idle[^1]} idle WebSockets over TLS, {settings.Measure.TotalSeconds:0} s after the last. "
            + $"Worst echo of plain WebSockets ({live}) in windows of {settings.Measure.TotalSeconds:0} s beside so many idle ones. Handshakes: `openssl s_time -new`, {clients} at once, none resumed.");
        writer.Table(["system", "bytes per idle TLS pair", .. idle.Select(i => $"worst plain echo ms, {i} idle"), .. idle.Select(i => $"p99 ms, {i} idle"), "descriptors, " + idle[^1], "TLS handshakes per second", "CPU us per handshake", "load's core busy"],
            settings.Systems.Select(s => (string[])[
                s, Of(s, r => r.Slope).Text("0"), .. idle.Select((_, i) => Of(s, r => r.Steps[i].Phase.Max).Text("0.0")), .. idle.Select((_, i) => Of(s, r => r.Steps[i].Phase.P99).Text("0.00")),
                Of(s, r => r.Steps[^1].Descriptors).Text("0"), Of(s, r => r.Handshakes).Text("0"), Of(s, r => r.HandshakeCpu).Text("0"), Of(s, r => r.LoadBusy).Text("P0"),
            ]));
        await writer.SaveAsync();
        return 0;
    }

    private static async Task<Result> MeasureAsync(BenchSettings settings, string system, RelayCase load, int[] idle, int clients)
    {
        for (var attempt = 1; ; attempt++)
        {
            await Quiet.WaitAsync(settings);
            await using var backend = Child.Start(first: true, "backend", settings.Endpoints, 0, 0);
            var endpoints = (await backend.HearAsync()).Split(',');
            await using var peer = await Peer.StartAsync(system, endpoints, pages: endpoints);
            using var watch = new GatewayWatch(peer, [backend.ProcessId]);
            using var live = await LivePairs.StartAsync(peer, watch, load, connectRate: 2000);
            await peer.UseTlsAsync();
            var steps = new List<(int Idle, Phase Phase, Memory Memory, int Descriptors)>();
            var pairs = new List<IdlePairs>();
            try
            {
                for (var i = 0; i < idle.Length; i++)
                {
                    if (i > 0)
                        pairs.Add(await IdlePairs.OpenAsync(peer, idle[i] - idle[i - 1], guest: null));
                    await Task.Delay(settings.WarmUp);
                    var phase = await live.DuringAsync($"{idle[i]} idle", () => Task.Delay(settings.Measure));
                    steps.Add((idle[i], phase, Memory.Of(peer.ProcessId), (await watch.LookAsync()).Descriptors));
                }
            }
            finally
            {
                foreach (var some in pairs)
                    await some.DisposeAsync();
            }

            if (!(await live.StopAsync()).IsClean)
                throw new BenchException($"{system}: the load found faults");
            var slope = (double)(steps[^1].Memory.PrivateDirty - steps[1].Memory.PrivateDirty) / (idle[^1] - idle[1]);
            var (rate, cpu, busy) = await HandshakesAsync(peer, clients, settings.Measure);
            if (Quiet.Disturbance(settings, steps.Select(s => s.Phase)) is not { } why || attempt == Quiet.Attempts)
                return new Result(system, steps, slope, rate, cpu, busy);
            await Console.Error.WriteLineAsync($"{system}: refused ({why}), run again");
        }
    }

    private static async Task<(double Rate, double CpuEach, double LoadBusy)> HandshakesAsync(Peer peer, int clients, TimeSpan time)
    {
        // The first round pays for the JIT.
        await RoundAsync(2);
        var before = CpuTime.Of(peer.ProcessId);
        var begin = TimeProvider.System.GetTimestamp();
        var (count, used) = await RoundAsync((int)Math.Max(1, time.TotalSeconds));
        var seconds = TimeProvider.System.GetElapsedTime(begin).TotalSeconds;
        return (count / seconds, CpuTime.Of(peer.ProcessId).Since(before) / count * 1e6, used / seconds);

        async Task<(long Count, double Used)> RoundAsync(int seconds)
        {
            var said = await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
            {
                var start = Pinning.Taskset(Pinning.LoadCore, "openssl",
                    ["s_time", "-new", "-connect", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{peer.TlsPort}"), "-time", seconds.ToString(CultureInfo.InvariantCulture)]);
                start.RedirectStandardOutput = start.RedirectStandardError = true;
                using var client = Process.Start(start)!;
                var error = client.StandardError.ReadToEndAsync();
                var output = await client.StandardOutput.ReadToEndAsync();
                await client.WaitForExitAsync();
                var match = Done().Match(output);
                return match.Success
                    ? (Count: long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), Used: double.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture))
                    : throw new BenchException($"{peer.Name}: openssl s_time failed: {output} {await error}");
            }));
            return (said.Sum(s => s.Count), said.Sum(s => s.Used));
        }
    }

    /// <summary>"1234 connections in 0.95s; ...": connections, and the CPU seconds that openssl used.</summary>
    [GeneratedRegex(@"^(\d+) connections in ([\d.]+)s;", RegexOptions.Multiline | RegexOptions.CultureInvariant)]
    private static partial Regex Done();
}
