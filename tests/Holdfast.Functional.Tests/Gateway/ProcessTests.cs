using Holdfast.Functional.Tests.Showcase;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>A gateway's process: how it starts, stops, and lives without descriptors.</summary>
public sealed class ProcessTests
{
    private static readonly TimeSpan ExitPatience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task SIGTERM_fails_readiness_at_once_still_accepts_and_a_second_one_hurries_the_end_with_1012()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Shutdown = "delay: 300s" });
        using var old = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(old.Upgrade()));
        Assert.Equal(200, await gateway.ReadyAsync());

        gateway.Signal("TERM");
        await gateway.Output.FirstAsync(l => l.Contains("Draining", StringComparison.Ordinal));
        Assert.Equal(503, await gateway.ReadyAsync());
        using var late = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(late.Upgrade()));
        gateway.CheckNeighbour();
        Assert.False(gateway.Exited.IsCompleted);

        gateway.Signal("TERM");
        foreach (var client in (RawPeer[])[old, late])
        {
            Assert.Equal(1012, client.ReceiveFrame().CloseCode);
            client.Send(Frames.CloseFrame(client: true, 1012));
            Assert.Empty(client.ReceiveToEnd());
            Assert.Equal(("shutdown", "gateway"), Reason(await gateway.LineOfAsync(client)));
            client.Dispose();
        }

        Assert.Equal(0, await gateway.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task After_shutdown_delay_the_gateway_ends_by_itself_though_a_client_never_answers()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Shutdown = "delay: 100ms, duration: 0s" }, neighbour: false);
        using var deaf = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(deaf.Upgrade()));
        gateway.Signal("TERM");

        Assert.Equal(0, await gateway.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
        Assert.Equal(1012, deaf.ReceiveFrame().CloseCode);
    }

    [Fact]
    public async Task Closes_are_spread_over_shutdown_duration()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Shutdown = "delay: 0s, duration: 3s" }, neighbour: false);
        var clients = Enumerable.Range(0, 30).Select(_ => gateway.Connect()).ToArray();
        Assert.All(clients, client => Assert.Equal(101, Upgrades.Status(client.Upgrade())));
        gateway.Signal("TERM");

        // Which of them goes first is not promised: each is waited for by itself.
        var begin = TimeProvider.System.GetTimestamp();
        var times = await Task.WhenAll(clients.Select(client => Task.Factory.StartNew(
            () =>
            {
                Assert.Equal(1012, client.ReceiveFrame().CloseCode);
                var time = TimeProvider.System.GetElapsedTime(begin);
                client.Send(Frames.CloseFrame(client: true, 1012));
                client.Dispose();
                return time;
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        Assert.Equal(0, await gateway.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
        Array.Sort(times);
        Assert.True(times[^1] - times[0] > TimeSpan.FromSeconds(1.5), $"the first after {times[0]}, the last after {times[^1]}");
    }

    [Fact]
    public async Task SIGINT_skips_the_delay()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Shutdown = "delay: 300s" }, neighbour: false);
        gateway.Signal("INT");
        Assert.Equal(0, await gateway.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Bad_configuration_is_exit_2_with_every_fault_named_by_file_line_and_key()
    {
        await using var gateway = await GatewayProcess.LaunchAsync(new GatewaySetup { Backend = "loadBalancing: magic, slowStrat: 3s", Shutdown = "delay: soon" });
        Assert.Equal(2, await gateway.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
        foreach (var part in (string[])["magic", "slowStrat", "soon"])
            Assert.Contains(gateway.Output.All, l => l.Contains(part, StringComparison.Ordinal) && l.Contains("gateway.yaml:", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_port_in_use_is_exit_3_with_a_message_that_names_it(bool admin)
    {
        using var taken = RawPeer.Listen();
        var address = taken.LocalEndPoint!.ToString()!;
        await using var gateway = await GatewayProcess.LaunchAsync(admin ? new GatewaySetup { Admin = address } : new GatewaySetup { Address = address });

        Assert.Equal(3, await gateway.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
        Assert.Contains(gateway.Output.All, l => l.StartsWith("holdfast: ", StringComparison.Ordinal) && l.Contains(address, StringComparison.Ordinal) && l.Contains("in use", StringComparison.Ordinal));
        Assert.DoesNotContain(gateway.Output.All, l => l.Contains("   at ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_stopped_endpoint_is_found_by_pings_and_its_client_told_1012()
    {
        await using var server = await ChatServer.StartAsync();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [server.Port], Backend = "keepAlive: {pingInterval: 1s, pongTimeout: 1s}" });
        using var client = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(client.Upgrade("/ws/chat?room=lobby&name=Ana")));
        GatewayProcess.Send(server.Process.Id, "STOP");
        try
        {
            while (true)
            {
                var frame = client.ReceiveFrame();
                if (frame.Opcode == Frames.Ping)
                    client.Send(Frames.FromClient(Frames.Pong, frame.Payload));
                if (frame.Opcode != Frames.Close)
                    continue;
                Assert.Equal(1012, frame.CloseCode);
                break;
            }

            client.Send(Frames.CloseFrame(client: true, 1012));
            Assert.Equal(("upstream_dead", "upstream"), Reason(await gateway.LineOfAsync(client)));
            gateway.CheckNeighbour();
        }
        finally
        {
            GatewayProcess.Send(server.Process.Id, "CONT");
        }
    }

    [Fact]
    public async Task Over_the_usable_number_it_is_503_and_places_come_back()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port] }, descriptors: 600);
        var usable = (int)await gateway.MetricAsync("holdfast_usable_connections");
        Assert.InRange(usable, 50, 200);
        var clients = new List<RawPeer>();
        for (var i = 1; i < usable; i++)
        {
            clients.Add(gateway.Connect());
            Assert.Equal(101, Upgrades.Status(clients[^1].Upgrade()));
        }

        using (var refused = gateway.Connect())
            Assert.Equal(503, Upgrades.Status(refused.Upgrade()));
        gateway.CheckNeighbour();
        Array.ForEach([.. clients], c => c.Dispose());
        await WaitForAsync(async () => await gateway.MetricAsync("holdfast_connections") == 1);
        using var again = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(again.Upgrade()));
    }

    [Fact]
    public async Task Without_descriptors_connections_live_on_new_ones_wait_and_all_recovers()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port] }, descriptors: 400);
        using var old = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(old.Upgrade()));
        // Mute connections take a descriptor each, until accepting must pause.
        var mute = new List<RawPeer>();
        for (var i = 0; i < 400; i++)
            mute.Add(gateway.Connect());
        // The process keeps some for itself: it still answers, and loads what it needs for that.
        await WaitForAsync(async () => await gateway.MetricAsync("holdfast_accept_pauses_total") >= 1);
        Assert.Equal(200, await gateway.ReadyAsync());
        for (var i = 0; i < 20; i++)
        {
            gateway.CheckNeighbour();
            old.Send(Frames.FromClient(Frames.Text, "alive"u8));
            Assert.Equal("alive"u8.ToArray(), old.ReceiveFrame().Payload);
        }

        Array.ForEach([.. mute], c => c.Dispose());
        using var fresh = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(fresh.Upgrade()));
        Assert.False(gateway.Exited.IsCompleted);
    }

    private static (string? Reason, string? Side) Reason(System.Text.Json.JsonElement line) => (line.GetProperty("reason").GetString(), line.GetProperty("side").GetString());

    private static async Task WaitForAsync(Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (!await condition())
            await Task.Delay(TimeSpan.FromMilliseconds(20), limit.Token);
    }
}
