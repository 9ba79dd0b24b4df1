using System.Globalization;
using System.Text.Json.Nodes;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Showcase;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>Replicas that come and go behind the real gateway of <c>holdfast dev</c>, on keys.</summary>
public sealed class DevRollTests
{
    private const int People = 12;

    [Fact]
    public async Task A_roll_replaces_every_replica_and_closes_each_connection_at_the_drains_pace()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "3");
        await dev.UntilReadyAsync(3);
        await dev.UntilEndpointsAsync(3);
        var (chatters, ends) = await RollAsync(dev, 3);

        // All were closed by the gateway, with a hint; no replica came to close anyone at its SIGTERM.
        Assert.All(chatters, c => Assert.InRange(c.Closes.Count, 1, 3));
        Assert.All(chatters.SelectMany(c => c.Closes), c =>
        {
            Assert.Equal(1012, c.Code);
            Assert.Matches("^retry-after=[0-9]+$", c.Reason);
        });
        Assert.Equal(chatters.Sum(c => c.Closes.Count), ends.Count);
        Assert.All(ends, e => Assert.Equal(("drained", "gateway"), ((string?)e["reason"], (string?)e["side"])));

        // Each step was told, in its order.
        foreach (var old in (string[])["replica-1", "replica-2", "replica-3"])
        {
            Assert.Equal(
                ["terminating, SIGTERM in 7 s", "SIGTERM, SIGKILL in 4 s", "exited with code 0, ", "gone"],
                dev.Lines.All.Where(l => l.StartsWith(old + ": ", StringComparison.Ordinal)).TakeLast(4).Select(l => l[(old.Length + 2)..]), static (expected, told) => told.StartsWith(expected, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_roll_that_the_gateway_hears_of_late_is_closed_by_the_replicas_themselves()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "3", "--late");
        await dev.UntilReadyAsync(3);
        await dev.UntilEndpointsAsync(3);
        var (chatters, ends) = await RollAsync(dev, 3);

        Assert.All(chatters, c => Assert.InRange(c.Closes.Count, 1, 3));
        Assert.All(chatters.SelectMany(c => c.Closes), c => Assert.Equal((1001, "this replica is stopping"), c));
        Assert.All(ends, e => Assert.Equal(("upstream_close", "upstream"), ((string?)e["reason"], (string?)e["side"])));
        Assert.Contains("replica-1: SIGTERM, SIGKILL in 4 s", dev.Lines.All);
        Assert.DoesNotContain(dev.Lines.All, l => l.Contains("terminating, SIGTERM in", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_gateway_killed_in_a_roll_comes_back_to_the_endpoints_there_are_and_hears_of_the_drains_again()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "2");
        await dev.UntilReadyAsync(2);
        await dev.UntilEndpointsAsync(2);
        dev.Press("r");
        await dev.AdminUntilAsync("v1/backends", b => DevProcess.Endpoints(b).Count(e => (string?)e["phase"] == "draining") == 2);

        GatewayProcess.Send(dev.ProcessOf("gateway"), "KILL");

        await Processes.UntilAsync(() => dev.CountOf("gateway: ready") == 2, "the gateway was ready again");
        await dev.AdminUntilAsync("v1/backends", b => DevProcess.Endpoints(b).Count(e => (string?)e["phase"] == "draining") == 2);
        await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));
        await dev.UntilEndpointsAsync(2);
        using var person = await ChatPerson.JoinAsync(dev.Port, "Ana");
        Assert.Matches("^replica-[34]$", (string?)person.Welcome["replica"]);
    }

    [Fact]
    public async Task A_new_replica_killed_in_a_roll_is_started_again_and_the_roll_goes_on()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "2");
        await dev.UntilReadyAsync(2);
        dev.Press("r");
        await dev.Lines.FirstAsync(l => l.StartsWith("replica-3: starting", StringComparison.Ordinal));
        GatewayProcess.Send(dev.ProcessOf("replica-3"), "KILL");

        await dev.Lines.FirstAsync(l => l == "replica-3: ended by signal 9 (SIGKILL)");
        await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));
        var endpoints = await dev.UntilEndpointsAsync(2);
        Assert.Equal(2, dev.CountOf("replica-3: starting"));
        Assert.Equal(2, DevProcess.Endpoints(endpoints).Count());
    }

    [Fact]
    public async Task Scaling_adds_and_takes_away_and_a_drained_replica_is_taken_back()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "1");
        await dev.UntilReadyAsync(1);
        dev.Press("+");
        await dev.Lines.FirstAsync(l => l == "scale: 2 replicas");
        await dev.UntilEndpointsAsync(2);

        dev.Press("d");
        await dev.AdminUntilAsync("v1/backends", b => DevProcess.Endpoints(b).Count(e => (string?)e["phase"] == "draining") == 1);
        dev.Press("d");
        await dev.UntilEndpointsAsync(2);
        var told = dev.Lines.All.Where(l => l.StartsWith("replica-", StringComparison.Ordinal) && l.Contains("drain", StringComparison.Ordinal)).Select(l => l.Split(": ")[1]);
        Assert.Equal(["draining, until cancelled or rolled", "drain cancelled"], told);

        // The youngest goes; the last stays whatever is pressed.
        dev.Press("--");
        await dev.Lines.FirstAsync(l => l == "replica-2: gone");
        await dev.UntilEndpointsAsync(1);
        Assert.Single(dev.Lines.All, l => l == "scale: 1 replica");
        Assert.Equal(0, dev.CountOf("replica-1: terminating"));
    }

    [Fact]
    public async Task A_replica_that_stops_answering_its_health_path_takes_no_connections_until_it_answers_again()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "2", "--health", "/healthz");
        await dev.UntilReadyAsync(2);
        await dev.UntilEndpointsAsync(2);
        GatewayProcess.Send(dev.ProcessOf("replica-1"), "STOP");

        await dev.Lines.FirstAsync(l => l.StartsWith("replica-1: not ready: 3 times in a row not a 2xx from http://127.0.0.1:", StringComparison.Ordinal));
        await dev.UntilEndpointsAsync(1);
        using (var person = await ChatPerson.JoinAsync(dev.Port, "Ana"))
            Assert.Equal("replica-2", (string?)person.Welcome["replica"]);

        GatewayProcess.Send(dev.ProcessOf("replica-1"), "CONT");
        await dev.Lines.FirstAsync(l => l == "replica-1: ready again");
        await dev.UntilEndpointsAsync(2);
        Assert.Equal(1, dev.CountOf("replica-1: starting"));
    }

    [Fact]
    public async Task A_frozen_replica_is_found_by_the_keep_alive_and_its_clients_are_told()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, """
                listeners: [{name: web, address: "127.0.0.1:0"}]
                routes: [{path: {prefix: /}, backend: app}]
                backends: {app: {endpoints: ["127.0.0.1:1"], keepAlive: {pingInterval: 500ms, pongTimeout: 3s}}}
                """);
            await using var dev = DevProcess.Start("--replicas", "2", "--config", file);
            await dev.UntilReadyAsync(2);
            await dev.UntilEndpointsAsync(2);
            using var person = await ChatPerson.JoinAsync(dev.Port, "Ana");
            var replica = (string)person.Welcome["replica"]!;
            GatewayProcess.Send(dev.ProcessOf(replica), "STOP");

            var (code, reason) = await person.UntilClosedAsync();

            Assert.Equal(1012, code);
            Assert.Matches("^retry-after=[0-9]+$", reason);
            var ends = await dev.AdminUntilAsync("v1/ends?limit=9", e => e["ends"]!.AsArray().Count == 1);
            Assert.Equal("upstream_dead", (string?)ends["ends"]![0]!["reason"]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task A_replica_that_ignores_SIGTERM_is_killed_when_its_grace_is_over()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, """
                listeners: [{name: web, address: "127.0.0.1:0"}]
                routes: [{path: {prefix: /}, backend: app}]
                backends: {app: {endpoints: ["127.0.0.1:1"], drain: {duration: 0s}}}
                """);
            const string Stubborn = "node -e \"process.on('SIGTERM', () => {}); require('http').createServer((q, r) => r.end()).listen(process.env.PORT, '127.0.0.1')\"";
            await using var dev = DevProcess.Start("--replicas", "1", "--config", file, "--app", Stubborn);
            await dev.UntilReadyAsync(1);
            dev.Press("r");

            await dev.Lines.FirstAsync(l => l == "replica-1: terminating, SIGTERM in 2 s");
            await dev.Lines.FirstAsync(l => l.StartsWith("replica-1: killed with SIGKILL, for its grace was over", StringComparison.Ordinal));
            await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Quitting_in_the_middle_of_a_roll_waits_for_no_pause_and_leaves_nothing()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "2");
        await dev.UntilReadyAsync(2);
        dev.Press("r");
        await dev.Lines.FirstAsync(l => l.StartsWith("replica-1: terminating", StringComparison.Ordinal));

        dev.Press("q");

        Assert.Equal(0, await dev.ExitAsync());
        Assert.Empty(dev.Descendants());
        Assert.Empty(dev.TemporaryFiles());
        Assert.DoesNotContain(dev.Lines.All, l => l.StartsWith("replica-1: SIGTERM", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_work_without_a_terminal_and_the_end_of_the_input_is_none()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "1");
        await dev.UntilReadyAsync(1);
        dev.Press(" 1 ");
        await dev.Lines.FirstAsync(l => l == "replica-1: killed with SIGKILL");
        dev.CloseInput();
        await Processes.UntilAsync(() => dev.CountOf("replica-1: ready") == 2, "the replica was ready again");
        dev.Terminate();
        Assert.Equal(0, await dev.ExitAsync());
    }

    /// <summary>People chat while every replica is rolled once; returns them, stopped, and how their connections ended.</summary>
    private static async Task<(IReadOnlyList<Chatter> Chatters, IReadOnlyList<JsonNode> Ends)> RollAsync(DevProcess dev, int replicas)
    {
        var chatters = Enumerable.Range(0, People).Select(i => new Chatter(dev.Port, string.Create(CultureInfo.InvariantCulture, $"p{i}"))).ToList();
        using var stop = new CancellationTokenSource();
        var chatting = chatters.Select(c => c.RunAsync(stop.Token)).ToList();
        await UntilAsync(() => chatters.All(c => c.Seen > 0), "all chatted");

        dev.Press("r");
        await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));

        // All are on new replicas, and go on.
        var seen = chatters.Select(c => c.Seen).ToList();
        await UntilAsync(() => chatters.Zip(seen).All(c => c.First.Seen > c.Second + 1), "all chatted on");
        Assert.All(chatters, c => Assert.True(int.Parse(c.Replica!.Split('-')[1], CultureInfo.InvariantCulture) > replicas, c.Replica));
        var ends = await dev.AdminUntilAsync("v1/ends?limit=256", e => e["ends"]!.AsArray().Count >= chatters.Sum(c => c.Closes.Count));
        await dev.UntilEndpointsAsync(replicas);
        await stop.CancelAsync();
        await Task.WhenAll(chatting);
        return (chatters, [.. ends["ends"]!.AsArray().Select(e => e!)]);

        // Whoever was refused says so at once.
        async Task UntilAsync(Func<bool> condition, string what)
        {
            await Processes.UntilAsync(() => chatting.Any(t => t.IsFaulted) || condition(), what);
            if (chatting.FirstOrDefault(t => t.IsFaulted) is { } fault)
                await fault;
        }
    }
}
