using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Holdfast.Cli.Load;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Load;
using Holdfast.Relay.Interop;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>A gateway's process whose configuration file changes under open connections.</summary>
public sealed class LiveConfigurationTests : IDisposable
{
    private readonly EchoEndpoint _first = new(), _second = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private GatewaySetup Setup => new() { Endpoints = [_first.Port] };

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_change_of_the_file_is_applied_and_open_connections_stay(bool configMap)
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup, configMap: configMap);
        using var old = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(old.Upgrade()));
        var before = await gateway.ConfigurationAsync();
        Assert.Equal(("in_force", gateway.ConfigurationFile), (before.GetProperty("state").GetString(), before.GetProperty("file").GetString()));
        Assert.Equal(Hash(gateway), before.GetProperty("hash").GetString());

        gateway.Write(Setup with { Endpoints = [_first.Port], Routes = ["path: {prefix: /new}, backend: new"], Backends = [$"new: {{endpoints: [\"127.0.0.1:{_second.Port}\"]}}"] });
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        using var fresh = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(fresh.Upgrade("/new")));
        Assert.Equal((1, 1), (_first.Connections, _second.Connections));
        var after = await gateway.ConfigurationAsync();
        Assert.Equal(("in_force", Hash(gateway)), (after.GetProperty("state").GetString(), after.GetProperty("hash").GetString()));
        Assert.True(string.CompareOrdinal(before.GetProperty("appliedAt").GetString(), after.GetProperty("appliedAt").GetString()) < 0);

        // Once more, since what is watched was itself replaced by the first change.
        gateway.Write(Setup);
        await gateway.ChangesAsync(applied: 2, rejected: 0);
        using var late = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(late.Upgrade("/new")));
        Assert.Equal(2, _first.Connections);
        CheckEcho(old);
        gateway.CheckNeighbour();
    }

    [Theory]
    [InlineData("two faults", "slowStrat", "magic")]
    [InlineData("half a file", "not valid YAML")]
    [InlineData("truncated to nothing", "the file is empty")]
    [InlineData("garbage", "not UTF-8")]
    [InlineData("huge", "larger than 1 MiB")]
    [InlineData("FIFO", "it is a pipe")]
    [InlineData("directory", "it is a directory")]
    [InlineData("dangling link", "there is no such file")]
    [InlineData("deleted", "there is no such file")]
    public async Task Whatever_becomes_of_the_file_the_old_configuration_stays_and_the_fault_is_told_once(string what, params string[] messages)
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup);
        using var old = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(old.Upgrade()));
        var hash = Hash(gateway);
        Spoil(gateway.ConfigurationFile, what);
        await gateway.ChangesAsync(applied: 0, rejected: 1);

        var told = await gateway.ConfigurationAsync();
        Assert.Equal(("rejected", hash, messages.Length), (told.GetProperty("state").GetString(), told.GetProperty("hash").GetString(), told.GetProperty("faultCount").GetInt32()));
        foreach (var message in messages)
        {
            Assert.Contains(told.GetProperty("faults").EnumerateArray(), f => f.GetString()!.Contains(message, StringComparison.Ordinal));
            await gateway.Output.FirstAsync(l => l.Contains(message, StringComparison.Ordinal));
        }

        Assert.Equal(0, await gateway.MetricAsync("holdfast_config_in_force"));
        Assert.Equal(200, await gateway.ReadyAsync());
        CheckEcho(old);
        using (var fresh = gateway.Connect())
            Assert.Equal(101, Upgrades.Status(fresh.Upgrade()));

        // The watch lives: a good file is taken at once, and what was wrong before is told no second time. Stopped meanwhile, the gateway
        // cannot see that nothing takes the place of a directory in one step.
        gateway.Signal("STOP");
        if (what == "directory")
            Directory.Delete(gateway.ConfigurationFile);
        gateway.Write(Setup with { Backend = "slowStart: 1s" });
        gateway.Signal("CONT");
        await gateway.ChangesAsync(applied: 1, rejected: 1);
        Assert.Equal(1, await gateway.MetricAsync("holdfast_config_in_force"));
        Assert.Equal("in_force", (await gateway.ConfigurationAsync()).GetProperty("state").GetString());
        Assert.All(messages, message => Assert.Single(gateway.Output.All, l => l.Contains(message, StringComparison.Ordinal)));
        CheckEcho(old);
        gateway.CheckNeighbour();
    }

    [Fact]
    public async Task SIGHUP_reads_the_file_again_though_it_has_not_changed()
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup);
        gateway.Signal("HUP");
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        gateway.CheckNeighbour();
    }

    [Fact]
    public async Task Limits_and_trusted_proxies_of_a_listener_change_under_its_connections()
    {
        using var endpoints = RawPeer.Listen();
        var setup = new GatewaySetup { Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port] };
        await using var gateway = await GatewayProcess.StartAsync(setup);
        gateway.Write(setup with { Listener = "limits: {connections: 1}" });
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        using (var refused = gateway.Connect())
            Assert.Equal(503, Upgrades.Status(refused.Upgrade()));

        gateway.Write(setup with { Listener = "limits: {connections: 2}, trustedProxies: [127.0.0.0/8]" });
        await gateway.ChangesAsync(applied: 2, rejected: 0);
        using var client = gateway.Connect();
        client.Send(Upgrades.Request("/ws", "X-Forwarded-For: 1.2.3.4"));
        using var endpoint = RawPeer.Accept(endpoints);
        Assert.Equal("1.2.3.4, 127.0.0.1", Upgrades.Value(endpoint.AnswerUpgrade(), "X-Forwarded-For"));
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        gateway.CheckNeighbour();
    }

    [Fact]
    public async Task Listeners_come_and_go_and_the_connections_of_those_that_went_stay()
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup);
        gateway.Write(Setup with { Listeners = ["name: extra, address: \"127.0.0.1:0\""] });
        var extra = await ListeningAsync(gateway, "extra");
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        using var onExtra = RawPeer.Connect(extra);
        Assert.Equal(101, Upgrades.Status(onExtra.Upgrade()));
        using (var http = new HttpClient())
        using (var page = await http.GetAsync(new Uri($"http://{extra}/page"), Cancel))
            Assert.Equal(HttpStatusCode.BadGateway, page.StatusCode);     // Handed over and forwarded: the endpoint speaks no plain HTTP.

        // A port that we hold ourselves is told as such.
        gateway.Write(Setup with { Listeners = [$"name: renamed, address: \"{extra}\"", "name: extra, address: \"127.0.0.1:0\""] });
        await gateway.ChangesAsync(applied: 1, rejected: 1);
        Assert.Contains("this gateway's listener extra", (await gateway.ConfigurationAsync()).GetProperty("faults")[0].GetString(), StringComparison.Ordinal);

        gateway.Write(Setup);
        await gateway.ChangesAsync(applied: 2, rejected: 1);
        Assert.Equal(SocketError.ConnectionRefused, Assert.Throws<SocketException>(() => RawPeer.Connect(extra)).SocketErrorCode);
        CheckEcho(onExtra);
        gateway.CheckNeighbour();

        // The port is free again, for us as for anybody.
        gateway.Write(Setup with { Listeners = [$"name: extra, address: \"{extra}\""] });
        await gateway.ChangesAsync(applied: 3, rejected: 1);
        using var again = RawPeer.Connect(extra);
        Assert.Equal(101, Upgrades.Status(again.Upgrade()));
        CheckEcho(onExtra);

        // Under another name it is the same socket.
        gateway.Write(Setup with { Listeners = [$"name: renamed, address: \"{extra}\", limits: {{connections: 1}}"] });
        await gateway.ChangesAsync(applied: 4, rejected: 1);
        Assert.DoesNotContain(gateway.Output.All, l => l.Contains("Listening on renamed", StringComparison.Ordinal));
        using (var refused = RawPeer.Connect(extra))
            Assert.Equal(503, Upgrades.Status(refused.Upgrade()));
        CheckEcho(again);
        onExtra.Finish();
        Assert.Equal("downstream_eof", (await gateway.LineOfAsync(onExtra)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_listener_that_cannot_be_opened_rejects_the_whole_change()
    {
        using var taken = RawPeer.Listen();
        await using var gateway = await GatewayProcess.StartAsync(Setup);
        using var old = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(old.Upgrade()));
        gateway.Write(Setup with
        {
            Endpoints = [_second.Port],
            Listeners = ["name: good, address: \"127.0.0.1:0\"", $"name: bad, address: \"{taken.LocalEndPoint}\""],
        });
        await gateway.ChangesAsync(applied: 0, rejected: 1);
        var fault = (await gateway.ConfigurationAsync()).GetProperty("faults")[0].GetString()!;
        Assert.Contains($"listeners[2].address: {taken.LocalEndPoint}: the port is in use", fault, StringComparison.Ordinal);
        Assert.DoesNotContain(gateway.Output.All, l => l.Contains("Listening on good", StringComparison.Ordinal));
        using (var fresh = gateway.Connect())
            Assert.Equal(101, Upgrades.Status(fresh.Upgrade()));
        Assert.Equal((2, 0), (_first.Connections, _second.Connections));
        CheckEcho(old);

        // Once the port is free, asking is enough.
        taken.Dispose();
        gateway.Signal("HUP");
        await gateway.ChangesAsync(applied: 1, rejected: 1);
        _ = await ListeningAsync(gateway, "bad");
    }

    [Fact]
    public async Task The_admin_address_waits_for_a_restart_and_the_rest_is_applied_its_token_included()
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup);
        var elsewhere = Processes.FreePort().ToString(CultureInfo.InvariantCulture);
        var change = Setup with { Endpoints = [_second.Port], Admin = $"127.0.0.1:{elsewhere}", AdminMore = "token: correct-horse-battery" };
        gateway.Write(change);
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        var told = await gateway.ConfigurationAsync();
        Assert.Equal(("needs_restart", "admin.address"), (told.GetProperty("state").GetString(), told.GetProperty("needsRestart")[0].GetString()));
        Assert.Equal(0, await gateway.MetricAsync("holdfast_config_in_force"));
        await gateway.Output.FirstAsync(l => l.Contains("Needs a restart: admin.address", StringComparison.Ordinal));
        Assert.Equal(200, await gateway.ReadyAsync());
        using var client = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(client.Upgrade()));
        Assert.Equal(1, _second.Connections);
        using (var open = await gateway.SendAsync(HttpMethod.Get, "/v1/backends"))
            Assert.Equal(HttpStatusCode.Unauthorized, open.StatusCode);

        gateway.Write(Setup with { Endpoints = [_second.Port] });
        await gateway.ChangesAsync(applied: 2, rejected: 0);
        Assert.Equal("in_force", (await gateway.ConfigurationAsync()).GetProperty("state").GetString());
        using (var open = await gateway.SendAsync(HttpMethod.Get, "/v1/backends"))
            Assert.Equal(HttpStatusCode.OK, open.StatusCode);
        CheckEcho(client);
    }

    [Fact]
    public async Task On_its_way_to_loopback_the_admin_API_keeps_its_token()
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup with { Admin = "0.0.0.0:0", AdminMore = "token: correct-horse-battery" }, neighbour: false);
        gateway.Write(Setup);
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        Assert.Equal(
            ["admin.address", "admin.token"],
            (await gateway.ConfigurationAsync()).GetProperty("needsRestart").EnumerateArray().Select(k => k.GetString()));
        using var open = await gateway.SendAsync(HttpMethod.Get, "/v1/backends");
        Assert.Equal(HttpStatusCode.Unauthorized, open.StatusCode);
    }

    [Fact]
    public async Task The_pace_of_a_shutdown_is_the_one_configured_last()
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup with { Shutdown = "delay: 300s" }, neighbour: false);
        gateway.Write(Setup with { Shutdown = "delay: 0s, duration: 0s" });
        await gateway.ChangesAsync(applied: 1, rejected: 0);
        gateway.Signal("TERM");
        Assert.Equal(0, await gateway.Exited.WaitAsync(RawPeer.Patience, Cancel));
    }

    [Fact]
    public async Task From_a_pipe_it_starts_and_stays_as_it_is()
    {
        await using var gateway = await GatewayProcess.StartAsync(Setup, pipe: true);
        await gateway.Output.FirstAsync(l => l.Contains("is a pipe", StringComparison.Ordinal));
        gateway.Signal("HUP");
        gateway.CheckNeighbour();
        Assert.Equal("in_force", (await gateway.ConfigurationAsync()).GetProperty("state").GetString());
        Assert.Equal(0, await gateway.MetricAsync("holdfast_config_reloads_total"));
    }

    [Fact]
    public async Task A_hundred_changes_under_load_lose_nothing_but_the_connections_of_removed_endpoints()
    {
        const int Connections = 500, Leaving = 20, Changes = 100;
        await using var one = new FaultyServer((_, _) => Fault.None);
        await using var two = new FaultyServer((_, _) => Fault.None);
        using var removed = new QuietEndpoint();
        var setup = new GatewaySetup
        {
            Endpoints = [one.Port, two.Port],
            Routes = ["path: {prefix: /leaving}, backend: leaving"],
            Backends = [$"leaving: {{endpoints: [\"127.0.0.1:{removed.Port}\"], drain: {{duration: 1s}}}}"],
        };
        await using var gateway = await GatewayProcess.StartAsync(setup);
        using var crowd = await Crowd.GatherAsync(gateway.Address, Leaving, "/leaving");
        using var load = new LoadRun(
            new LoadOptions
            {
                Url = new Uri($"ws://{gateway.Address}/echo"),
                Connections = Connections,
                Rate = 1000,
                Duration = TimeSpan.FromHours(1),
                Grace = TimeSpan.FromSeconds(20),
            },
            NativeAddress.From(gateway.Address),
            TimeProvider.System);
        var running = load.RunAsync();
        await load.Started;
        for (var i = 1; i <= Changes; i++)
        {
            // Every kind of thing changes with every step; the removed endpoint leaves with the first.
            gateway.Write(setup with
            {
                Backend = $"slowStart: {i % 3}s, loadBalancing: {(i % 2 == 0 ? "roundRobin" : "leastConnections")}, keepAlive: {{pingInterval: {20 + (i % 5)}s}}",
                Route = $"timeouts: {{connect: {1 + (i % 4)}s}}",
                Listener = $"limits: {{connections: {1000 + i}}}, trustedProxies: [10.0.0.{i}/32]",
                Listeners = i % 10 < 5 ? ["name: sometimes, address: \"127.0.0.1:0\""] : [],
                Routes = [.. Enumerable.Range(0, i).Select(n => $"path: {{prefix: /unused/{n}}}, backend: unused")],
                Backends = [$"unused: {{endpoints: [{string.Join(", ", Enumerable.Range(1, 1 + (i % 7)).Select(n => $"\"127.0.0.1:{n + i}\""))}]}}"],
            });
            gateway.Signal("HUP");
            await gateway.AppliedAsync(Hash(gateway));
        }

        Assert.All(await crowd.FarewellsAsync(), f => Assert.Equal(1012, f.Code));
        load.Stop();
        var report = await running;
        Assert.True(report.IsClean, System.Text.Json.JsonSerializer.Serialize(report, LoadJson.Default.LoadReport));
        Assert.Equal(Connections, report.Connected);
        Assert.True(report.Received > Changes);
        Assert.Equal(Leaving, await gateway.MetricAsync("holdfast_connection_ends_total", "reason=\"drained\""));
        gateway.CheckNeighbour();
    }

    public void Dispose()
    {
        _first.Dispose();
        _second.Dispose();
    }

    private static string Hash(GatewayProcess gateway) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(gateway.ConfigurationFile)))[..12];

    private static void CheckEcho(RawPeer client)
    {
        client.Send(Frames.FromClient(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), client.ReceiveFrame().Payload);
    }

    private static async Task<IPEndPoint> ListeningAsync(GatewayProcess gateway, string name)
    {
        var line = await gateway.Output.FirstAsync(l => l.Contains($"Listening on {name} (", StringComparison.Ordinal));
        return IPEndPoint.Parse(line[(line.LastIndexOf('(') + 1)..^1]);
    }

    private static void Spoil(string file, string what)
    {
        switch (what)
        {
            case "two faults":
                File.WriteAllText(file, File.ReadAllText(file).Replace("slowStart: 0s", "slowStrat: 0s, loadBalancing: magic", StringComparison.Ordinal));
                break;
            case "half a file":
                var text = File.ReadAllText(file);
                File.WriteAllText(file, text[..(text.LastIndexOf("slowStart", StringComparison.Ordinal) + 4)]);
                break;
            case "truncated to nothing":
                using (var stream = File.OpenWrite(file))
                    stream.SetLength(0);
                break;
            case "garbage":
                File.WriteAllBytes(file, [.. Enumerable.Range(0, 100_000).Select(i => (byte)((i * 7) | 0x80))]);
                break;
            case "huge":
                using (var stream = File.OpenWrite(file))
                    stream.SetLength(1L << 40);
                break;
            default:
                File.Delete(file);
                if (what == "FIFO")
                    Run("mkfifo", file);
                else if (what == "directory")
                    Directory.CreateDirectory(file);
                else if (what == "dangling link")
                    File.CreateSymbolicLink(file, file + ".gone");
                break;
        }
    }

    private static void Run(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }
}
