using Holdfast.Bench.Backend;
using Holdfast.Bench.Output;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Bench.Runs;

namespace Holdfast.Bench.Pages;

/// <summary>Plain requests per second and their CPU, on kept-alive connections on both sides.</summary>
internal static class HttpBench
{
    // The aim: Holdfast's CPU at most this times nginx'.
    private const double AgainstNginx = 2.5;
    private const double MostSteal = 0.01;

    private sealed record Result(string System, int Clients, long Answers, double Seconds, double Cpu, double LoadBusy, double Steal)
    {
        public double Rate => Answers / Seconds;

        public double CpuPerMillion => Cpu / Answers * 1e6;

        public double Busy => Cpu / Seconds;
    }

    public static async Task<int> RunAsync(BenchSettings settings, int size, int[] clients)
    {
        using var backend = new EchoBackend(settings.Endpoints);
        var writer = new ResultWriter("http", settings, "run", "system", "clients", "size", "requests_per_second", "cpu_seconds_per_million", "proxy_busy", "load_busy", "steal")
        {
            TemplateKind = PeerConfiguration.Http,
        };
        var results = new List<Result>();
        foreach (var count in clients)
        {
            for (var run = 1; run <= settings.Runs; run++)
            {
                foreach (var system in settings.Systems)
                {
                    var r = await MeasureAsync(settings, system, size, count, backend);
                    results.Add(r);
                    writer.Row(run, system, count, size, Math.Round(r.Rate), Math.Round(r.CpuPerMillion, 2), Math.Round(r.Busy, 3), Math.Round(r.LoadBusy, 3), Math.Round(r.Steal, 4));
                    await Console.Error.WriteLineAsync(FormattableString.Invariant(
                        $"run {run}, {system}, {count} clients: {r.Rate:0} requests/s, {r.CpuPerMillion:0.0} CPU s per million; its core {r.Busy:P0} busy, the load's {r.LoadBusy:P0}"));
                }
            }
        }

        var holds = true;
        foreach (var count in clients)
        {
            Spread Of(string system, Func<Result, double> value) => Spread.Of(results.Where(r => r.System == system && r.Clients == count).Select(value));
            writer.Text($"## {size} B, {count} kept-alive clients that each ask again when they have their answer");
            writer.Table(["system", "requests per second", "CPU s per million", "proxy's core busy", "load's and backend's core busy"], settings.Systems.Select(s => new[]
            {
                s, Of(s, r => r.Rate).Text("0"), Of(s, r => r.CpuPerMillion).Text("0.0"), Of(s, r => r.Busy).Text("P0"), Of(s, r => r.LoadBusy).Text("P0"),
            }));
            var (nginx, holdfast) = (Of(Peer.Nginx, r => r.CpuPerMillion).Median, Of(Peer.Holdfast, r => r.CpuPerMillion).Median);
            if (double.IsNaN(nginx) || double.IsNaN(holdfast))
                continue;
            holds &= holdfast <= AgainstNginx * nginx;
            writer.Text(FormattableString.Invariant($"Holdfast's CPU is {holdfast / nginx:0.00} x nginx'; the aim is {AgainstNginx} at most."));
        }

        writer.Text("A load's core near 100 % means that the rate is the load's, not the proxy's; the CPU for each is not.");
        await writer.SaveAsync();
        return holds ? 0 : 1;
    }

    private static async Task<Result> MeasureAsync(BenchSettings settings, string system, int size, int clients, EchoBackend backend)
    {
        for (var attempt = 1; ; attempt++)
        {
            await using var peer = await Peer.StartAsync(system, backend.Endpoints, pages: backend.Endpoints);
            using var load = new PageLoad(peer.Port, clients, size, backend);
            await load.ForAsync(settings.WarmUp);
            var (cpu, self, cores, answers, begin) =
                (peer.ProcessId == 0 ? CpuTime.None : CpuTime.Of(peer.ProcessId), CpuTime.OfThisProcess(), CoreTime.Now(), load.Answers, TimeProvider.System.GetTimestamp());
            await load.ForAsync(settings.Measure);
            var seconds = TimeProvider.System.GetElapsedTime(begin).TotalSeconds;
            var result = new Result(system, clients, load.Answers - answers, seconds, peer.ProcessId == 0 ? 0 : CpuTime.Of(peer.ProcessId).Since(cpu),
                CpuTime.OfThisProcess().Since(self) / seconds, CoreTime.Now().StealSince(cores));
            await load.StopAsync();
            if (result.Answers == 0)
                throw new BenchException($"{system}: no page came");
            if (settings.Noisy || result.Steal <= MostSteal || attempt == Quiet.Attempts)
                return result;
            await Console.Error.WriteLineAsync($"{system}: refused (steal {result.Steal:P1}), run again");
        }
    }
}
