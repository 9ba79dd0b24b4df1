using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Health;

/// <summary>Endpoints that fail handshakes: who is asked, who is passed over, and how one comes back, on a clock of the test's own.</summary>
public sealed class EjectionTests
{
    private const string Backend = "slowStart: 0s, loadBalancing: roundRobin, keepAlive: {pingInterval: 0s}";

    private static readonly TimeSpan For = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("refuses")]
    [InlineData(nameof(Answers.Nothing))]
    [InlineData(nameof(Answers.Garbage))]
    [InlineData(nameof(Answers.WrongAccept))]
    [InlineData(nameof(Answers.End))]
    [InlineData(nameof(Answers.Reset))]
    public async Task Five_failed_handshakes_in_a_row_eject_an_endpoint_and_cost_no_client_anything(string fault)
    {
        using var bad = new ScriptedEndpoint(fault == "refuses" ? Answers.Well : Answers.Named(fault), listens: fault != "refuses");
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(bad, good);
        var state = StateOf(gateway, bad);
        var rounds = 0;
        for (; state.Health == EndpointHealth.Healthy; rounds++)
        {
            Assert.InRange(rounds, 0, 20);
            using var client = gateway.Connect();
            client.Send(Upgrades.Request());
            await Processes.UntilAsync(() => client.Socket.Available > 0 || state.Handshakes > 0, "an endpoint was asked");
            // Half of the handshake's 10 s, then another is asked.
            while (fault == nameof(Answers.Nothing) && state.Handshakes > 0)
                await gateway.AdvanceAsync(TimeSpan.FromMilliseconds(100));
            Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        }

        Assert.Equal((5, EndpointPhase.Ready), (state.FailuresInARow, state.Phase));
        for (var i = 0; i < 10; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade()));
        }

        Assert.Equal(5, state.FailuresInARow);
        Assert.Equal(rounds + 10, good.Users);
        var view = await gateway.EndpointAsync(bad.Port);
        Assert.Equal(("unhealthy", "ejected"), (view.GetProperty("health").GetString(), view.GetProperty("unhealthyReason").GetString()));
        Assert.InRange(view.GetProperty("ejectedForMs").GetInt64(), 1, (long)For.TotalMilliseconds);
        Assert.Equal(1, await gateway.MetricAsync("holdfast_ejections_total", "backend=\"test\""));
        Assert.Equal(1, await gateway.MetricAsync("holdfast_endpoint_state", $":{bad.Port}\"", "health=\"unhealthy\"", "phase=\"ready\""));
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData("403 Forbidden", 403)]
    [InlineData("503 Busy", 503)]
    [InlineData("500 Oops", 500)]
    [InlineData("200 OK", 502)]
    public async Task Whatever_an_endpoint_answers_in_valid_HTTP_does_not_eject_it(string answer, int status)
    {
        using var refuses = new ScriptedEndpoint(Answers.Status(answer));
        using var other = new ScriptedEndpoint(Answers.Status(answer));
        await using var gateway = await StartAsync(refuses, other);
        for (var i = 0; i < 20; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(status, Upgrades.Status(client.Upgrade()));
        }

        Assert.Equal((0, 0), (StateOf(gateway, refuses).FailuresInARow, StateOf(gateway, other).FailuresInARow));
        Assert.Equal(0, await gateway.MetricAsync("holdfast_ejections_total"));
    }

    [Fact]
    public async Task Clients_that_leave_in_the_middle_eject_nobody()
    {
        using var slow = new ScriptedEndpoint(Answers.Nothing);
        using var other = new ScriptedEndpoint(Answers.Nothing);
        await using var gateway = await StartAsync(slow, other);
        for (var i = 1; i <= 12; i++)
        {
            using (var client = gateway.Connect())
            {
                client.Send(Upgrades.Request());
                await Processes.UntilAsync(() => slow.Users + other.Users == i, "an endpoint was asked");
            }

            await Processes.UntilAsync(() => StateOf(gateway, slow).Handshakes + StateOf(gateway, other).Handshakes == 0, "the handshake had ended");
        }

        Assert.Equal((0, 0), (StateOf(gateway, slow).FailuresInARow, StateOf(gateway, other).FailuresInARow));
    }

    [Fact]
    public async Task When_the_time_is_up_one_handshake_tries_it_while_all_others_pass_it_over_and_a_101_brings_it_back()
    {
        using var endpoints = RawPeer.Listen();
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(PortOf(endpoints), good.Port);
        var state = gateway.Host.Runtime.Backends[^1].Endpoints[0];
        await EjectAsync(gateway, state, () =>
        {
            using var peer = RawPeer.Accept(endpoints);
            _ = peer.ReceiveHead();
            peer.Reset();
        });
        await gateway.AdvanceAsync(For - TimeSpan.FromSeconds(1));
        await UpgradeAsync(gateway, times: 6);
        Assert.False(endpoints.Poll(0, SelectMode.SelectRead), "it was dialled while it was ejected");

        await gateway.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("half_open", (await gateway.EndpointAsync(PortOf(endpoints))).GetProperty("unhealthyReason").GetString());
        using var first = gateway.Connect();
        first.Send(Upgrades.Request());
        using var trial = RawPeer.Accept(endpoints);
        await UpgradeAsync(gateway, times: 6);
        Assert.False(endpoints.Poll(0, SelectMode.SelectRead), "two handshakes tried it at once");
        Assert.Equal(EndpointHealth.Unhealthy, state.Health);

        _ = trial.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(first.ReceiveHead()));
        Assert.Equal((EndpointHealth.Healthy, 0), (state.Health, state.FailuresInARow));
        var (client, peer) = await OpenThereAsync(gateway, endpoints);
        client.Dispose();
        peer.Dispose();
        Assert.Equal(1, await gateway.MetricAsync("holdfast_ejections_total"));
    }

    [Fact]
    public async Task A_trial_that_fails_is_served_elsewhere_and_ejects_for_longer()
    {
        using var bad = new ScriptedEndpoint(Answers.Garbage);
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(bad, good);
        var state = StateOf(gateway, bad);
        await EjectAsync(gateway, state);
        for (var row = 1; row <= 12; row++)
        {
            var longer = For * Math.Min(row, 10);
            Assert.Equal((long)longer.TotalMilliseconds, (await gateway.EndpointAsync(bad.Port)).GetProperty("ejectedForMs").GetInt64());
            var users = bad.Users;
            await gateway.AdvanceAsync(longer - TimeSpan.FromMilliseconds(20));
            await UpgradeAsync(gateway, times: 3);
            Assert.Equal(users, bad.Users);
            await gateway.AdvanceAsync(TimeSpan.FromMilliseconds(20));
            await UpgradeAsync(gateway, times: 3);      // The first of them found it still bad.
            Assert.Equal(users + 1, bad.Users);
            Assert.Equal(1 + row, await gateway.MetricAsync("holdfast_ejections_total"));
        }

        bad.ToUsers = Answers.Well;
        await gateway.AdvanceAsync(For * 10);
        await UpgradeAsync(gateway, times: 1);
        Assert.Equal((EndpointHealth.Healthy, 0), (state.Health, state.FailuresInARow));
    }

    [Fact]
    public async Task A_trial_whose_client_leaves_is_given_to_the_next_handshake()
    {
        using var endpoint = new ScriptedEndpoint(Answers.Garbage);
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(endpoint, good);
        var state = StateOf(gateway, endpoint);
        await EjectAsync(gateway, state);
        endpoint.ToUsers = Answers.Nothing;
        await gateway.AdvanceAsync(For);
        var users = endpoint.Users;
        for (var i = 1; i <= 3; i++)
        {
            using (var leaves = gateway.Connect())
            {
                leaves.Send(Upgrades.Request());
                await Processes.UntilAsync(() => endpoint.Users == users + i, "it was tried");
            }

            await Processes.UntilAsync(() => state.Handshakes == 0, "the trial was given back");
            Assert.Equal("half_open", (await gateway.EndpointAsync(endpoint.Port)).GetProperty("unhealthyReason").GetString());
        }

        endpoint.ToUsers = Answers.Well;
        await UpgradeAsync(gateway, times: 1);
        Assert.Equal(EndpointHealth.Healthy, state.Health);
    }

    [Fact]
    public async Task Open_connections_stay_on_an_ejected_endpoint()
    {
        using var endpoint = new ScriptedEndpoint(Answers.Well);
        using var other = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(endpoint, other);
        var clients = new List<RawPeer>();
        for (var i = 0; i < 10; i++)
        {
            clients.Add(gateway.Connect());
            Assert.Equal(101, Upgrades.Status(clients[^1].Upgrade()));
        }

        var state = StateOf(gateway, endpoint);
        Assert.Equal(5, state.Connections);
        endpoint.ToUsers = Answers.Reset;
        await EjectAsync(gateway, state);
        await gateway.AdvanceAsync(TimeSpan.FromMinutes(10));
        foreach (var client in clients)
        {
            client.Send(Frames.FromClient(Frames.Text, "still here"u8));
            Assert.Equal("still here"u8.ToArray(), client.ReceiveFrame().Payload);
        }

        Assert.Equal((5, EndpointPhase.Ready), (state.Connections, state.Phase));
        Assert.Null(gateway.Host.Runtime.Drains.Find(state));
        clients.ForEach(c => c.Dispose());
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_single_endpoint_is_never_ejected()
    {
        using var bad = new ScriptedEndpoint(Answers.Garbage);
        await using var gateway = await StartAsync(bad.Port);
        for (var i = 0; i < 12; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(502, Upgrades.Status(client.Upgrade()));
        }

        Assert.Equal((12, 12, EndpointHealth.Healthy), (bad.Users, StateOf(gateway, bad).FailuresInARow, StateOf(gateway, bad).Health));
        bad.ToUsers = Answers.Well;
        await UpgradeAsync(gateway, times: 1);
    }

    [Fact]
    public async Task Where_all_are_bad_half_stay_in_service_and_any_that_recovers_is_found()
    {
        ScriptedEndpoint[] endpoints = [new(Answers.End), new(Answers.End), new(Answers.End), new(Answers.End)];
        await using var gateway = await StartAsync([.. endpoints.Select(e => e.Port)]);
        for (var i = 0; i < 30; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(502, Upgrades.Status(client.Upgrade()));
        }

        var ejected = endpoints.Where(e => StateOf(gateway, e).Health == EndpointHealth.Unhealthy).ToArray();
        Assert.Equal(2, ejected.Length);
        endpoints.Except(ejected).First().ToUsers = Answers.Well;
        await UpgradeAsync(gateway, times: 5);
        foreach (var endpoint in endpoints)
            endpoint.Dispose();
    }

    [Fact]
    public async Task Plain_requests_that_cannot_connect_eject_too_and_are_not_sent_to_who_is_ejected()
    {
        using var refuses = new ScriptedEndpoint(Answers.Well, listens: false);
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(refuses, good);
        var state = StateOf(gateway, refuses);
        for (var i = 0; state.Health == EndpointHealth.Healthy; i++)
        {
            Assert.InRange(i, 0, 20);
            Get(gateway);
        }

        Assert.Equal(5, state.FailuresInARow);
        refuses.Listen();
        for (var i = 0; i < 10; i++)
            Get(gateway);
        Assert.Equal(0, refuses.Accepted);

        await gateway.AdvanceAsync(For);
        Get(gateway);
        Assert.Equal((1, EndpointHealth.Healthy, 0), (refuses.Users, state.Health, state.FailuresInARow));
        Assert.Equal(0, state.Connections);
    }

    [Fact]
    public async Task A_plain_request_whose_connect_times_out_is_served_elsewhere_and_counts()
    {
        // A listener whose queue is full: the kernel drops what knocks.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        using var leave = new CancellationTokenSource();
        var queue = Enumerable.Range(0, 4).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)).ToArray();
        var knocks = queue.Select(s => s.ConnectAsync(full.LocalEndPoint!, leave.Token).AsTask()).ToArray();
        await knocks[0];
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(PortOf(full), good.Port);
        var state = gateway.Host.Runtime.Backends[^1].Endpoints[0];
        Get(gateway);
        if (state.FailuresInARow == 0)
            Get(gateway);       // The first was the other's turn.
        Assert.Equal(1, state.FailuresInARow);
        await leave.CancelAsync();
        _ = await Task.WhenAny(Task.WhenAll(knocks));
        Array.ForEach(queue, s => s.Dispose());
    }

    [Fact]
    public async Task An_endpoint_that_nobody_could_stand_in_for_has_all_the_time_of_the_handshake()
    {
        using var bad = new ScriptedEndpoint(Answers.Garbage);
        using var endpoints = RawPeer.Listen();
        await using var gateway = await StartAsync(bad.Port, PortOf(endpoints));
        var state = StateOf(gateway, bad);
        while (state.Health == EndpointHealth.Healthy)
        {
            var (client, peer) = gateway.Open(endpoints);
            client.Dispose();
            peer.Dispose();
        }

        using var slow = gateway.Connect();
        slow.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(endpoints);
        await gateway.AdvanceAsync(TimeSpan.FromSeconds(9));
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(slow.ReceiveHead()));
    }

    [Fact]
    public async Task A_plain_request_does_not_try_an_endpoint_whose_handshakes_failed()
    {
        using var half = new ScriptedEndpoint((peer, head) =>
        {
            if (Upgrades.Value(head, "Upgrade") is null)
                Answers.Well(peer, head);
        });
        using var good = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(half, good);
        var state = StateOf(gateway, half);
        for (var i = 0; state.Health == EndpointHealth.Healthy; i++)
        {
            Assert.InRange(i, 0, 30);
            await UpgradeAsync(gateway, times: 1);
            Get(gateway);
            Get(gateway);
        }

        await gateway.AdvanceAsync(For);
        var users = half.Users;
        for (var i = 0; i < 4; i++)
            Get(gateway);
        Assert.Equal(users, half.Users);
        half.ToUsers = Answers.Well;
        await UpgradeAsync(gateway, times: 1);
        Assert.Equal((users + 1, EndpointHealth.Healthy), (half.Users, state.Health));
    }

    [Fact]
    public async Task A_live_change_turns_ejection_off_and_the_endpoint_is_asked_again()
    {
        using var bad = new ScriptedEndpoint(Answers.Garbage);
        using var good = new ScriptedEndpoint(Answers.Well);
        var setup = Setup(bad.Port, good.Port);
        await using var gateway = await GatewayFixture.StartAsync(setup, manualTime: true);
        await EjectAsync(gateway, StateOf(gateway, bad));
        await gateway.ApplyAsync(setup with { Backend = Backend + ", health: {eject: {afterFailures: 0}}" });

        Assert.Equal(EndpointHealth.Healthy, StateOf(gateway, bad).Health);
        var users = bad.Users;
        await UpgradeAsync(gateway, times: 20);
        Assert.InRange(bad.Users, users + 6, users + 20);
        Assert.Equal(EndpointHealth.Healthy, StateOf(gateway, bad).Health);
    }

    private static int PortOf(Socket listener) => ((IPEndPoint)listener.LocalEndPoint!).Port;

    private static GatewaySetup Setup(params int[] endpoints) => new() { Endpoints = endpoints, Backend = Backend };

    private static Task<GatewayFixture> StartAsync(params int[] endpoints) => GatewayFixture.StartAsync(Setup(endpoints), manualTime: true);

    private static Task<GatewayFixture> StartAsync(ScriptedEndpoint first, ScriptedEndpoint second) => StartAsync(first.Port, second.Port);

    private static EndpointState StateOf(GatewayFixture gateway, ScriptedEndpoint endpoint) =>
        gateway.Host.Runtime.Backends[^1].Endpoints.ToArray().Single(e => e.Address.Port == endpoint.Port);

    /// <summary>Clients that come until the endpoint is ejected; each is served by another.</summary>
    /// <param name="answer">What the endpoint does, when it is the test's own.</param>
    private static async Task EjectAsync(GatewayFixture gateway, EndpointState endpoint, Action? answer = null)
    {
        while (endpoint.Health == EndpointHealth.Healthy)
        {
            var failures = endpoint.FailuresInARow;
            Assert.InRange(failures, 0, 4);
            using var client = gateway.Connect();
            client.Send(Upgrades.Request());
            await gateway.TurnAsync();
            if (answer is not null && endpoint.Handshakes > 0)
                answer();
            Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        }
    }

    private static async Task UpgradeAsync(GatewayFixture gateway, int times)
    {
        for (var i = 0; i < times; i++)
        {
            using var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade()));
        }

        await gateway.TurnAsync();
    }

    /// <summary>A pair with the endpoint behind this listener; the one before it may have been another's turn.</summary>
    private static async Task<(RawPeer Client, RawPeer Endpoint)> OpenThereAsync(GatewayFixture gateway, Socket endpoints)
    {
        while (true)
        {
            var client = gateway.Connect();
            client.Send(Upgrades.Request());
            await Processes.UntilAsync(() => client.Socket.Available > 0 || endpoints.Poll(0, SelectMode.SelectRead), "an endpoint was asked");
            if (client.Socket.Available > 0)
            {
                client.Dispose();
                continue;
            }

            var endpoint = RawPeer.Accept(endpoints);
            _ = endpoint.AnswerUpgrade();
            Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
            return (client, endpoint);
        }
    }

    private static void Get(GatewayFixture gateway)
    {
        using var client = gateway.Connect();
        client.Send("GET /page HTTP/1.1\r\nHost: test.example\r\nConnection: close\r\n\r\n");
        Assert.Equal(200, Upgrades.Status(client.ReceiveHead()));
        Assert.Equal("ok", Encoding.ASCII.GetString(client.ReceiveToEnd()));
    }
}
