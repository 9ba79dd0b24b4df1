using System.CommandLine;
using Holdfast.Bench.Backend;
using Holdfast.Bench.Crowds;
using Holdfast.Bench.Pages;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Runs;

namespace Holdfast.Bench;

/// <summary>The benches as commands; see bench/README.md.</summary>
internal static class BenchCommands
{
    private static readonly Option<string> Systems = new("--systems") { Description = "Which to compare, in this order." };
    private static readonly Option<int?> Runs = new("--runs") { Description = "Interleaved runs of each." };
    private static readonly Option<double?> WarmUp = new("--warmup") { Description = "Seconds before each measured window." };
    private static readonly Option<double?> Measure = new("--measure") { Description = "Seconds of each measured window." };
    private static readonly Option<double> MaxLag = new("--max-lag")
    {
        Description = "Milliseconds the load may be late with any message; a tenth of it for 99 in 100.",
        DefaultValueFactory = _ => 50,
    };

    private static readonly Option<bool> Noisy = new("--noisy") { Description = "All but memory, connects, stall and changes: count runs on a busy machine, too, at once. For trying, not for results." };

    private static readonly Option<string> Results = new("--results")
    {
        Description = "Directory for CSV and table.",
        DefaultValueFactory = _ => Path.Combine(Repository.Root, "bench", "results"),
    };

    private static readonly Option<string?> Tool = new("--holdfast")
    {
        Description = "The holdfast.dll to measure; default: the one built with the bench.",
    };

    public static RootCommand Create()
    {
        var root = new RootCommand("Compares Holdfast with nginx and HAProxy, side by side in one run.");
        foreach (var option in new Option[] { Systems, Runs, WarmUp, Measure, MaxLag, Noisy, Results, Tool })
        {
            option.Recursive = true;
            root.Add(option);
        }

        const string peers = "nginx,haproxy,holdfast", withDirect = "direct," + peers;
        var cases = Case("--cases", "SIZE@RATExCONNECTIONS, separated by commas.", RelayCase.Defaults);
        Add(root, "relay", "CPU seconds per million echoes.", peers, (7, 5, 10),
            (s, p) => RelayBench.RunAsync(s, RelayCase.Parse(p.GetValue(cases)!)), cases);

        var few = new Option<int>("--few") { DefaultValueFactory = _ => 1000 };
        var many = new Option<int>("--many") { DefaultValueFactory = _ => 8000 };
        Add(root, "memory", "User memory per idle pair.", peers, (3, 3, 5),
            (s, p) => MemoryBench.RunAsync(s, p.GetValue(few), p.GetValue(many)), few, many);

        var half = Case("--case", "SIZE@RATExCONNECTIONS.", "64@20000x200");
        Add(root, "latency", "Added latency at about half load of the proxy's core.", withDirect, (5, 5, 10),
            (s, p) => LatencyBench.RunAsync(s, RelayCase.Parse(p.GetValue(half)!)[0]), half);

        var connections = new Option<int>("--connections") { DefaultValueFactory = _ => 4000 };
        Add(root, "connects", "New connections per second.", withDirect, (7, 0, 0),
            (s, p) => ConnectsBench.RunAsync(s, p.GetValue(connections)), connections);

        var light = Case("--case", "SIZE@RATExCONNECTIONS.", "64@5000x200");
        Add(root, "stall", "Worst echo while the admin address is polled.", Peer.Holdfast, (5, 5, 10),
            (s, p) => StallBench.RunAsync(s, RelayCase.Parse(p.GetValue(light)!)[0]), light);

        var crowd = Case("--case", "SIZE@RATExCONNECTIONS.", "64@5000x5000");
        var changes = new Option<int>("--changes") { Description = "Changes in each window.", DefaultValueFactory = _ => 100 };
        var every = new Option<int>("--every") { Description = "Milliseconds from one change to the next.", DefaultValueFactory = _ => 400 };
        var stopAfter = new Option<int>("--stop-after")
        {
            Description = "Seconds that the peers' old processes may live on, in the phase that limits it.",
            DefaultValueFactory = _ => 10,
        };
        Add(root, "changes", "Connections under load while the configuration is changed.", peers, (5, 5, 45),
            (s, p) => ChangesBench.RunAsync(s, RelayCase.Parse(p.GetValue(crowd)!)[0], p.GetValue(changes), TimeSpan.FromMilliseconds(p.GetValue(every)), p.GetValue(stopAfter)),
            crowd, changes, every, stopAfter);

        AddPages(root);
        AddCrowds(root);
        AddHidden(root);
        return root;
    }

    private static void AddPages(RootCommand root)
    {
        const string peers = "nginx,haproxy,holdfast";
        var size = new Option<int>("--size") { Description = "Bytes of a page.", DefaultValueFactory = _ => 1024 };
        var clients = Case("--clients", "Kept-alive connections; several, separated by commas.", "50,200");
        Add(root, "http", "Plain requests per second, and their CPU.", peers, (5, 5, 10),
            (s, p) => HttpBench.RunAsync(s, p.GetValue(size), Numbers(p.GetValue(clients)!)), size, clients);

        var live = Case("--live", "The live pairs: SIZE@RATExCONNECTIONS.", "64@2000x200");
        var bytes = new Option<long>("--bytes") { Description = "Bytes of a download.", DefaultValueFactory = _ => 1_000_000_000 };
        var downloads = new Option<int>("--downloads") { Description = "Downloads, one after the other.", DefaultValueFactory = _ => 3 };
        Add(root, "download", "Live pairs while something large is downloaded.", peers, (5, 5, 10),
            (s, p) => DownloadBench.RunAsync(s, RelayCase.Parse(p.GetValue(live)!)[0], p.GetValue(bytes), p.GetValue(downloads)), live, bytes, downloads);

        var plain = Case("--live", "The live plain pairs: SIZE@RATExCONNECTIONS.", "64@2000x200");
        var idle = Case("--idle", "Numbers of idle TLS pairs, from 0 on.", "0,1000,4000");
        var programs = new Option<int>("--programs") { Description = "Programs that do TLS handshakes at once.", DefaultValueFactory = _ => 8 };
        Add(root, "tls", "Idle TLS pairs: memory, and plain pairs beside them; TLS handshakes.", peers, (3, 5, 10),
            (s, p) => TlsBench.RunAsync(s, RelayCase.Parse(p.GetValue(plain)!)[0], Numbers(p.GetValue(idle)!), p.GetValue(programs)), plain, idle, programs);

        var relayed = Case("--case", "SIZE@RATExCONNECTIONS.", "64@10000x200");
        var ways = Case("--ways", "Some of direct, kept-alive, tls.", "direct,kept-alive,tls");
        var few = new Option<int>("--few") { DefaultValueFactory = _ => 1000 };
        var many = new Option<int>("--many") { DefaultValueFactory = _ => 4000 };
        Add(root, "linked", "CPU per echo and memory per idle pair, of WebSockets that came in different ways.", peers, (5, 5, 10),
            (s, p) => LinkedBench.RunAsync(s, RelayCase.Parse(p.GetValue(relayed)!)[0], p.GetValue(ways)!.Split(','), p.GetValue(few), p.GetValue(many)), relayed, ways, few, many);
    }

    private static int[] Numbers(string list) => [.. list.Split(',').Select(n => int.Parse(n, System.Globalization.CultureInfo.InvariantCulture))];

    private static void AddCrowds(RootCommand root)
    {
        var live = Case("--live", "The live pairs: SIZE@RATExCONNECTIONS.", "64@1000x1000");
        var sockets = new Option<int>("--sockets") { DefaultValueFactory = _ => 8000 };
        var ramps = new Option<string>("--ramps") { Description = "Seconds in which they come first; several, separated by commas.", DefaultValueFactory = _ => "0,10" };
        Add(root, "loris", "Live pairs beside sockets that never end their request heads.", Peer.Holdfast, (3, 5, 40),
            (s, p) => LorisBench.RunAsync(s, RelayCase.Parse(p.GetValue(live)!)[0], p.GetValue(sockets),
                [.. p.GetValue(ramps)!.Split(',').Select(r => double.Parse(r, System.Globalization.CultureInfo.InvariantCulture))]),
            live, sockets, ramps);

        var variants = Case("--variants", "Some of " + string.Join(", ", StormVariant.All.Select(v => v.Name)) + ".", string.Join(',', StormVariant.All.Select(v => v.Name)));
        Add(root, "storm", "Live pairs beside thousands of handshakes at once that a backend takes slowly.", Peer.Holdfast, (3, 5, 0),
            (s, p) => StormBench.RunAsync(s, RelayCase.Parse(p.GetValue(live)!)[0], [.. p.GetValue(variants)!.Split(',').Select(name =>
                StormVariant.All.FirstOrDefault(v => v.Name == name) ?? throw new BenchException($"There is no variant '{name}'"))]),
            live, variants);
    }

    /// <summary>The processes that benches start.</summary>
    private static void AddHidden(RootCommand root)
    {
        var admin = new Argument<string>("URL");
        var seconds = new Argument<double>("SECONDS");
        var poll = new Command("poll") { admin, seconds };
        poll.Hidden = true;
        poll.SetAction((p, _) => StallBench.PollAsync(new Uri(p.GetRequiredValue(admin)), TimeSpan.FromSeconds(p.GetValue(seconds))));
        root.Add(poll);

        var (addresses, rate, line) = (new Argument<int>("ADDRESSES"), new Argument<int>("RATE"), new Argument<int>("LINE"));
        var backend = new Command("backend") { addresses, rate, line };
        backend.Hidden = true;
        backend.SetAction(p => BackendProcess.Run(p.GetValue(addresses), p.GetValue(rate), p.GetValue(line)));
        root.Add(backend);

        var (port, count, sources, ramp) = (new Argument<int>("PORT"), new Argument<int>("COUNT"), new Argument<int>("ADDRESSES"), new Argument<double>("RAMP"));
        var slow = new Command("slow-crowd") { port, count, sources, ramp };
        slow.Hidden = true;
        slow.SetAction(p => SlowCrowd.Run(p.GetValue(port), p.GetValue(count), p.GetValue(sources), TimeSpan.FromSeconds(p.GetValue(ramp))));
        root.Add(slow);

        var (plan, patience) = (new Argument<string>("PLAN"), new Argument<double>("PATIENCE"));
        var storm = new Command("storm-crowd") { port, plan, patience };
        storm.Hidden = true;
        storm.SetAction(p => StormCrowd.Run(p.GetValue(port), CrowdPlan.Parse(p.GetRequiredValue(plan)), TimeSpan.FromSeconds(p.GetValue(patience))));
        root.Add(storm);
    }

    private static Option<string> Case(string name, string description, string value) =>
        new(name) { Description = description, DefaultValueFactory = _ => value };

    private static void Add(
        RootCommand root, string name, string description, string systems, (int Runs, double WarmUp, double Measure) defaults,
        Func<BenchSettings, ParseResult, Task<int>> run, params Option[] options)
    {
        var command = new Command(name, description);
        foreach (var option in options)
            command.Add(option);
        command.SetAction(async (parsed, _) =>
        {
            PeerConfiguration.HoldfastTool = Path.GetFullPath(parsed.GetValue(Tool) ?? PeerConfiguration.HoldfastTool);
            var settings = new BenchSettings
            {
                Systems = (parsed.GetValue(Systems) ?? systems).Split(','),
                Runs = parsed.GetValue(Runs) ?? defaults.Runs,
                WarmUp = TimeSpan.FromSeconds(parsed.GetValue(WarmUp) ?? defaults.WarmUp),
                Measure = TimeSpan.FromSeconds(parsed.GetValue(Measure) ?? defaults.Measure),
                MaxLag = TimeSpan.FromMilliseconds(parsed.GetValue(MaxLag)),
                Noisy = parsed.GetValue(Noisy),
                Results = Path.GetFullPath(parsed.GetValue(Results)!),
            };
            try
            {
                string[] known = [Peer.Direct, Peer.Nginx, Peer.Haproxy, Peer.Holdfast, Peer.HeldOpaque, Peer.HeldJson, Peer.NginxPaced, Peer.HaproxyPaced];
                if (settings.Systems.Except(known, StringComparer.Ordinal).FirstOrDefault() is { } unknown)
                    throw new BenchException($"There is no system '{unknown}'; give some of {string.Join(", ", known)}");
                return await run(settings, parsed);
            }
            catch (BenchException e)
            {
                await Console.Error.WriteLineAsync("bench: " + e.Message);
                return 3;
            }
        });
        root.Add(command);
    }
}
