using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Testing;
using static Holdfast.Functional.Tests.Health.CheckedGateway;

namespace Holdfast.Functional.Tests.Health;

/// <summary>Active checks of real servers that turn bad and good: what they make of an endpoint, and what becomes of its connections.</summary>
public sealed class HealthCheckTests
{
    [Theory]
    [InlineData(Http, "500 Oops", "it answered 500")]
    [InlineData(WebSocket, nameof(Answers.WrongAccept), "its 101 does not prove the key")]
    [InlineData(Tcp, "refuses", "it cannot be connected to: ConnectionRefused")]
    public async Task An_endpoint_that_fails_takes_nothing_and_its_connections_drain_and_when_it_passes_it_serves_again(string check, string fault, string reason)
    {
        using var turns = new ScriptedEndpoint(Answers.Well);
        using var other = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(check, turns, other);
        await ReadyAsync(gateway, turns, other);
        var clients = Open(gateway, 10);
        Assert.Equal((5, 5), (turns.Users, other.Users));

        if (fault == "refuses")
            turns.StopListening();
        else
            turns.ToChecks = Answers.Named(fault);
        var state = StateOf(gateway, turns);
        await Processes.UntilAsync(() => Answering(clients) == 5, "the connections of the endpoint that fails were drained");
        await Processes.UntilAsync(() => state.Connections == 0, "they had ended");
        Assert.Equal((EndpointHealth.Unhealthy, EndpointPhase.Draining), (state.Health, state.Phase));
        Assert.Equal([DrainCause.FailedCheck], gateway.Host.Runtime.Drains.Find(state)!.Value.Causes);
        var view = await gateway.EndpointAsync(turns.Port);
        Assert.Equal(("unhealthy", "failed_check"), (view.GetProperty("health").GetString(), view.GetProperty("unhealthyReason").GetString()));
        Assert.StartsWith(reason, view.GetProperty("checkFailure").GetString(), StringComparison.Ordinal);
        clients.AddRange(Open(gateway, 6));
        Assert.Equal((5, 11), (turns.Users, other.Users));

        turns.ToChecks = Answers.Well;
        if (fault == "refuses")
            turns.Listen();
        await ReadyAsync(gateway, turns, other);
        Assert.Null(gateway.Host.Runtime.Drains.Find(state));
        clients.AddRange(Open(gateway, 6));
        Assert.Equal((11, 11), (turns.Users, other.Users));
        Assert.Equal(17, Answering(clients));
        view = await gateway.EndpointAsync(turns.Port);
        Assert.Equal((null, null), (view.GetProperty("unhealthyReason").GetString(), view.GetProperty("checkFailure").GetString()));
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task When_every_endpoint_fails_handshakes_are_refused_and_nobody_is_cut_off()
    {
        // One switch for both: what fails everywhere fails everywhere at once.
        var isGood = true;
        Answer answer = (peer, head) => (Volatile.Read(ref isGood) ? Answers.Well : Answers.Status("404 Not Found"))(peer, head);
        using var one = new ScriptedEndpoint(Answers.Well, answer);
        using var two = new ScriptedEndpoint(Answers.Well, answer);
        await using var gateway = await StartAsync(Http, one, two);
        await ReadyAsync(gateway, one, two);
        var clients = Open(gateway, 10);

        Volatile.Write(ref isGood, false);
        await Processes.UntilAsync(() => StateOf(gateway, one).FailsCheck && StateOf(gateway, two).FailsCheck, "both failed their check");
        using (var refused = gateway.Connect())
        {
            var head = refused.Upgrade();
            Assert.Equal((503, "1"), (Upgrades.Status(head), Upgrades.Value(head, "Retry-After")));
            Assert.Equal("Every endpoint of the backend fails its health check.\n", Encoding.ASCII.GetString(refused.ReceiveToEnd()));
            Assert.Equal("no_endpoint", (await gateway.Log.OfAsync(refused)).GetProperty("outcome").GetString());
        }

        using (var plain = gateway.Connect())
        {
            plain.Send("GET /page HTTP/1.1\r\nHost: test.example\r\n\r\n");
            Assert.Equal(503, Upgrades.Status(plain.ReceiveHead()));
        }

        var checks = one.Checks.Count + two.Checks.Count;
        await Processes.UntilAsync(() => one.Checks.Count + two.Checks.Count > checks + 6, "they were checked further");
        Assert.Equal(10, Answering(clients));
        Assert.Equal((EndpointPhase.Ready, EndpointPhase.Ready), (StateOf(gateway, one).Phase, StateOf(gateway, two).Phase));
        Assert.Equal(200, await gateway.ReadyAsync());

        Volatile.Write(ref isGood, true);
        await ReadyAsync(gateway, one, two);
        clients.AddRange(Open(gateway, 4));
        Assert.Equal(14, Answering(clients));
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task A_drain_is_cancelled_when_the_last_endpoint_that_could_take_the_connections_fails_too()
    {
        using var first = new ScriptedEndpoint(Answers.Well);
        using var last = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync(Http, "drain: {delay: 300s}", first, last);
        await ReadyAsync(gateway, first, last);
        var clients = Open(gateway, 4);
        first.ToChecks = Answers.Reset;
        await Processes.UntilAsync(() => StateOf(gateway, first).Phase == EndpointPhase.Draining, "the first was drained");
        last.ToChecks = Answers.Reset;
        await Processes.UntilAsync(() => StateOf(gateway, last).FailsCheck && StateOf(gateway, first).Phase == EndpointPhase.Ready, "the drain was cancelled");
        Assert.Null(gateway.Host.Runtime.Drains.Find(StateOf(gateway, first)));
        Assert.Null(gateway.Host.Runtime.Drains.Find(StateOf(gateway, last)));
        Assert.Equal((4, true), (Answering(clients), StateOf(gateway, first).FailsCheck));

        last.ToChecks = Answers.Well;
        await Processes.UntilAsync(() => StateOf(gateway, first).Phase == EndpointPhase.Draining, "the first was drained again");
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task An_endpoint_of_a_running_gateway_takes_nothing_before_its_first_good_check()
    {
        using var hold = new ManualResetEventSlim();
        using var known = new ScriptedEndpoint(Answers.Well);
        using var added = new ScriptedEndpoint(Answers.Well, (peer, head) =>
        {
            hold.Wait();
            Answers.Well(peer, head);
        });
        var setup = Setup(Http, "drain: {duration: 0s}", known);
        await using var gateway = await GatewayFixture.StartAsync(setup);
        await ReadyAsync(gateway, known);
        await gateway.ApplyAsync(setup with { Endpoints = [known.Port, added.Port] });
        await Processes.UntilAsync(() => added.Checks.Count == 1, "the new endpoint was asked");
        var clients = Open(gateway, 10);
        Assert.Equal((EndpointPhase.Starting, 0, 10), (StateOf(gateway, added).Phase, added.Users, known.Users));

        hold.Set();
        await ReadyAsync(gateway, added);
        clients.AddRange(Open(gateway, 10));
        Assert.Equal((10, 10), (added.Users, known.Users));
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task A_gateway_that_has_just_started_serves_before_any_check_has_ended()
    {
        using var hold = new ManualResetEventSlim();
        void Later(RawPeer peer, string head)
        {
            hold.Wait();
            Answers.Well(peer, head);
        }

        using var one = new ScriptedEndpoint(Answers.Well, Later);
        using var two = new ScriptedEndpoint(Answers.Well, Later);
        await using var gateway = await StartAsync(WebSocket, one, two);
        var clients = Open(gateway, 10);
        Assert.Equal((5, 5), (one.Users, two.Users));
        Assert.Equal((EndpointPhase.Starting, EndpointPhase.Starting), (StateOf(gateway, one).Phase, StateOf(gateway, two).Phase));

        hold.Set();
        await ReadyAsync(gateway, one, two);
        Assert.Equal(10, Answering(clients));
        clients.ForEach(c => c.Dispose());
    }

    [Fact]
    public async Task A_live_change_of_the_check_is_followed()
    {
        using var endpoint = new ScriptedEndpoint(Answers.Well, (peer, head) =>
            (head.StartsWith("GET /right ", StringComparison.Ordinal) ? Answers.Well : Answers.Status("404 Not Found"))(peer, head));
        using var witness = new ScriptedEndpoint(Answers.Well);
        var setup = Setup("http: {path: /right}", "drain: {duration: 0s}", endpoint) with
        {
            Backends = [$"witness: {{endpoints: [\"127.0.0.1:{witness.Port}\"], health: {{{Http}, interval: 100ms, timeout: 30s}}}}"],
        };
        await using var gateway = await GatewayFixture.StartAsync(setup);
        await ReadyAsync(gateway, endpoint);
        var state = StateOf(gateway, endpoint);

        await gateway.ApplyAsync(setup with { Backend = Setup("http: {path: /wrong}", "drain: {duration: 0s}", endpoint).Backend });
        await Processes.UntilAsync(() => state.FailsCheck, "the check of a wrong path failed");
        Assert.Equal(("it answered 404", EndpointPhase.Ready), (state.CheckFailure, state.Phase));

        await gateway.ApplyAsync(setup with { Backend = "slowStart: 0s" });
        await Processes.UntilAsync(() => !state.FailsCheck && state.CheckFailure is null, "an endpoint that is not checked counts as healthy");
        Assert.Single(Open(gateway, 1)).Dispose();
        await StandsStillAsync(endpoint, witness);

        await gateway.ApplyAsync(setup);
        var checks = endpoint.Checks.Count;
        await Processes.UntilAsync(() => endpoint.Checks.Count > checks + 2, "it was checked again");
        Assert.StartsWith("GET /right ", endpoint.Checks.Last(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_endpoint_that_left_is_no_longer_asked()
    {
        using var leaves = new ScriptedEndpoint(Answers.Well);
        using var stays = new ScriptedEndpoint(Answers.Well);
        var setup = Setup(Http, "drain: {duration: 0s}", leaves, stays);
        await using var gateway = await GatewayFixture.StartAsync(setup);
        await ReadyAsync(gateway, leaves, stays);
        await gateway.ApplyAsync(setup with { Endpoints = [stays.Port] });
        await Processes.UntilAsync(() => gateway.Host.Runtime.Backends[^1].Leaving.Length == 0, "it was gone");
        await StandsStillAsync(leaves, stays);
    }

    [Fact]
    public async Task An_address_that_DNS_no_longer_has_loses_its_connections_at_once_when_it_fails()
    {
        using var missing = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Backends = [string.Create(CultureInfo.InvariantCulture,
                $"looked-up: {{dns: {{name: app.invalid, port: {missing.Port}, grace: 300s}}, drain: {{duration: 0s}}, health: {{{Http}, interval: 100ms, timeout: 30s, unhealthyAfter: 2}}}}")],
            Routes = ["path: {prefix: /dns}, backend: looked-up"],
        });
        // Another loopback address, the same port: the endpoint that DNS still has.
        using var there = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        there.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.9"), missing.Port));
        there.Listen(512);
        new Thread(() => Serve(there)) { IsBackground = true }.Start();
        var backend = gateway.Host.Runtime.Backends.Single(b => b.Name == "looked-up");
        var (here, elsewhere) = (new EndpointAddress("127.0.0.1", missing.Port), new EndpointAddress("127.0.0.9", missing.Port));
        gateway.Host.Runtime.Discover(backend, [here]);
        await Processes.UntilAsync(() => backend.Endpoints[0].Phase == EndpointPhase.Ready, "it had passed its check");
        using var client = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(client.Upgrade("/dns")));
        gateway.Host.Runtime.Discover(backend, [elsewhere]);
        await Processes.UntilAsync(() => backend.Endpoints[0].Phase == EndpointPhase.Ready, "the other had passed its check");
        var checks = missing.Checks.Count;
        await Processes.UntilAsync(() => missing.Checks.Count > checks + 2, "the missing one was still checked");
        client.Send(Frames.FromClient(Frames.Text, "x"u8));
        Assert.Equal(Frames.Text, client.ReceiveFrame().Opcode);

        missing.ToChecks = Answers.Reset;
        Assert.Equal(1012, client.ReceiveFrame().CloseCode);

        static void Serve(Socket listener)
        {
            try
            {
                while (true)
                {
                    using var peer = new RawPeer(listener.Accept());
                    Answers.Well(peer, peer.ReceiveHead());
                }
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                // The test is over.
            }
        }
    }

    [Fact]
    public async Task A_check_that_hangs_holds_up_neither_others_nor_the_end_of_the_gateway()
    {
        using var hangs = new ScriptedEndpoint(Answers.Well, Answers.Nothing);
        using var good = new ScriptedEndpoint(Answers.Well);
        var gateway = await StartAsync(Http + ", timeout: 1h", hangs, good);
        await Processes.UntilAsync(() => good.Checks.Count > 5, "the other was checked again and again");
        Assert.Single(hangs.Checks);
        await gateway.DisposeAsync().AsTask().WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Any_number_of_endpoints_is_checked_by_a_bounded_number_of_connections()
    {
        const int Endpoints = 100, MostAtOnce = 32;
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Any, 0));
        listener.Listen(512);
        var port = ((IPEndPoint)listener.LocalEndPoint!).Port;
        var addresses = Enumerable.Range(1, Endpoints).Select(i => string.Create(CultureInfo.InvariantCulture, $"\"127.0.1.{i}:{port}\""));
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Backends = [$"many: {{endpoints: [{string.Join(", ", addresses)}], health: {{{Http}, interval: 1h, timeout: 1h}}}}"],
        });

        // Each is held until as many are open as may be: a bound that were lower would be waited for in vain, a higher one is seen.
        var open = new Queue<RawPeer>();
        var asked = new HashSet<string>(StringComparer.Ordinal);
        while (asked.Count < Endpoints)
        {
            while (open.Count < Math.Min(MostAtOnce, Endpoints - asked.Count + open.Count))
            {
                var peer = RawPeer.Accept(listener);
                asked.Add(Upgrades.Value(peer.ReceiveHead(), "Host")!);
                open.Enqueue(peer);
            }

            await gateway.TurnAsync();
            Assert.False(open.Count == MostAtOnce && listener.Poll(0, SelectMode.SelectRead), "more checks than may be were made at once");
            using var done = open.Dequeue();
            done.Send("HTTP/1.1 200 OK\r\n\r\n");
            Assert.Empty(done.ReceiveToEnd());
        }

        Assert.Equal(Endpoints, asked.Count);
        foreach (var peer in open)
            peer.Dispose();
    }

    [Fact]
    public async Task The_log_tells_of_checks_and_ejections()
    {
        using var checkedOne = new ScriptedEndpoint(Answers.Well);
        using var other = new ScriptedEndpoint(Answers.Well);
        using var ejected = new ScriptedEndpoint(Answers.Garbage);
        await using var gateway = await GatewayProcess.StartAsync(Setup(Http, "loadBalancing: random", checkedOne, other) with
        {
            Routes = ["path: {prefix: /eject}, backend: eject"],
            Backends = [$"eject: {{endpoints: [\"127.0.0.1:{ejected.Port}\", \"127.0.0.1:{other.Port}\"], health: {{eject: {{afterFailures: 1, for: 1ms}}}}, slowStart: 0s}}"],
        });
        checkedOne.ToChecks = Answers.Status("500 Oops");
        Assert.Contains("warn", await LineAsync($"Check failed: 127.0.0.1:{checkedOne.Port} of test is unhealthy, it answered 500"), StringComparison.Ordinal);
        checkedOne.ToChecks = Answers.Well;
        Assert.Contains("info", await LineAsync($"Check ok: 127.0.0.1:{checkedOne.Port} of test is healthy"), StringComparison.Ordinal);
        while (!gateway.Output.All.Any(l => l.Contains($"Ejected 127.0.0.1:{ejected.Port} of eject for 00:00:00.0010000: 1 failures in a row", StringComparison.Ordinal)))
            Upgrade();
        ejected.ToUsers = Answers.Well;
        while (!gateway.Output.All.Any(l => l.Contains($"Recovered: 127.0.0.1:{ejected.Port} of eject", StringComparison.Ordinal)))
            Upgrade();
        (checkedOne.ToChecks, other.ToChecks) = (Answers.Reset, Answers.Reset);
        Assert.Contains("fail", await LineAsync("Every endpoint of test fails its check"), StringComparison.Ordinal);

        Task<string> LineAsync(string text) => gateway.Output.FirstAsync(l => l.Contains(text, StringComparison.Ordinal));

        void Upgrade()
        {
            using var client = gateway.Connect();
            Assert.Equal(101, Upgrades.Status(client.Upgrade("/eject")));
        }
    }

    /// <summary>While another is checked ten times, this one is not.</summary>
    private static async Task StandsStillAsync(ScriptedEndpoint endpoint, ScriptedEndpoint witness)
    {
        // One that was under way may still arrive.
        var seen = witness.Checks.Count;
        await Processes.UntilAsync(() => witness.Checks.Count > seen + 2, "the other was checked");
        (seen, var checks) = (witness.Checks.Count, endpoint.Checks.Count);
        await Processes.UntilAsync(() => witness.Checks.Count > seen + 10, "the other was checked ten times");
        Assert.Equal(checks, endpoint.Checks.Count);
    }

    private static List<RawPeer> Open(GatewayFixture gateway, int count)
    {
        var clients = new List<RawPeer>();
        for (var i = 0; i < count; i++)
        {
            clients.Add(gateway.Connect());
            Assert.Equal(101, Upgrades.Status(clients[^1].Upgrade()));
        }

        return clients;
    }

    /// <summary>How many of them an endpoint still answers; the others were told 1012.</summary>
    private static int Answering(List<RawPeer> clients)
    {
        var answering = 0;
        foreach (var client in clients.ToArray())
        {
            ReceivedFrame frame;
            try
            {
                client.Send(Frames.FromClient(Frames.Text, "still here"u8));
                frame = client.ReceiveFrame();
            }
            catch (SocketException)
            {
                clients.Remove(client);     // It was closed, and the Close was read before.
                continue;
            }

            if (frame.Opcode == Frames.Close)
            {
                Assert.Equal(1012, frame.CloseCode);
                clients.Remove(client);
                client.Dispose();
                continue;
            }

            Assert.Equal("still here"u8.ToArray(), frame.Payload);
            answering++;
        }

        return answering;
    }
}
