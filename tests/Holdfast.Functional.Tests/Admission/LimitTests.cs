using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Auth;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Admission;

/// <summary>Limits of connections over real sockets: exact, told, given back, and changed live.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task A_full_backend_refuses_before_the_queue_and_admits_again_when_one_leaves()
    {
        await using var peers = await AdmissionPeers.StartAsync("limits: {connectionsPerEndpoint: 2}");
        var (first, endpoint) = peers.Establish();
        // A handshake counts as a connection from its start.
        var second = peers.Ask();
        var asked = peers.Accept();
        await peers.AssertRefusedAsync(peers.Ask(), 503, "backend_full");
        AdmissionPeers.Agree(asked, second);
        await peers.AssertRefusedAsync(peers.Ask(), 503, "backend_full");
        Assert.False(peers.IsDialled(), "the endpoint was asked");
        Assert.Equal(2, await peers.RefusalsAsync("connections_per_endpoint"));
        first.Dispose();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await Processes.UntilAsync(() => peers.Backend.Endpoints[0].Connections == 1, "one had left");
        _ = peers.Establish();
        await peers.AssertRefusedAsync(peers.Ask(), 503, "backend_full");
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Who_waits_while_the_last_place_goes_is_told_so()
    {
        await using var peers = await AdmissionPeers.StartAsync("limits: {connectionsPerEndpoint: 2}, handshakes: {inFlightPerEndpoint: 1, queueTimeout: 60s}");
        var first = peers.Ask();
        var endpoint = peers.Accept();
        var waiting = await peers.QueueAsync("127.0.0.2", "127.0.0.3", "127.0.0.4");
        AdmissionPeers.Agree(endpoint, first);
        endpoint = peers.Accept();
        Assert.Equal(2, peers.Backend.Endpoints[0].Connections);
        AdmissionPeers.Agree(endpoint, waiting[0]);
        await peers.AssertRefusedAsync(waiting[1], 503, "backend_full");
        await peers.AssertRefusedAsync(waiting[2], 503, "backend_full");
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Connections_that_are_moved_count_at_the_endpoint_that_they_come_to()
    {
        await using var peers = await AdmissionPeers.StartAsync(
            "limits: {connectionsPerEndpoint: 3}, loadBalancing: roundRobin, hold: {protocol: opaque, patience: 300s}", endpoints: 2);
        var pairs = Enumerable.Range(0, 4).Select(i =>
        {
            var client = peers.Ask();
            var endpoint = peers.Accept(i % 2);
            AdmissionPeers.Agree(endpoint, client);
            return (Client: client, Endpoint: endpoint);
        }).ToList();
        var second = peers.Backend.Endpoints[1];
        peers.Refuse(0);
        pairs[0].Endpoint.Reset();
        pairs[2].Endpoint.Reset();
        peers.Accept(out var head, 1).Send(Upgrades.Switching(head));
        Assert.Equal(3, second.Connections);
        // No place for the other: it is held, and no newcomer gets in either.
        await peers.Gateway.TurnAsync();
        Assert.False(peers.IsDialled(1), "the limit was passed");
        pairs[1].Client.Dispose();
        _ = pairs[1].Endpoint.ReceiveToEnd();
        pairs[1].Endpoint.Dispose();
        _ = peers.Accept(1);
        Assert.InRange(second.Connections, 2, 3);
        await peers.SettledAsync();
    }

    [Fact]
    public async Task A_key_has_so_many_connections_and_none_is_a_key_too()
    {
        await using var peers = await AdmissionPeers.StartAsync("limits: {connectionsPerKey: {header: x-tenant, max: 2}}");
        var (first, endpoint) = peers.Establish("127.0.0.1", "X-Tenant: a");
        _ = peers.Establish("127.0.0.2", "x-tenant:  a ");
        await peers.AssertRefusedAsync(peers.Ask("127.0.0.3", "X-Tenant: a"), 429, "key_limit");
        _ = peers.Establish("127.0.0.1", "X-Tenant: b");
        _ = peers.Establish();
        _ = peers.Establish("127.0.0.2");
        await peers.AssertRefusedAsync(peers.Ask("127.0.0.3"), 429, "key_limit");
        Assert.Equal(2, await peers.RefusalsAsync("connections_per_key"));
        first.Dispose();
        _ = endpoint.ReceiveToEnd();
        endpoint.Dispose();
        await Processes.UntilAsync(() => peers.Backend.Endpoints[0].Connections == 4, "one had left");
        await peers.Gateway.TurnAsync();
        _ = peers.Establish("127.0.0.1", "X-Tenant: a");
        await peers.SettledAsync();
    }

    [Fact]
    public async Task A_key_that_the_auth_service_sets_is_believed_and_a_clients_own_word_is_not()
    {
        using var service = new AuthService(static head =>
            $"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-User: {Upgrades.Value(head, "Authorization")}\r\n\r\n");
        await using var peers = await AdmissionPeers.StartAsync(
            $"limits: {{connectionsPerKey: {{header: x-user, max: 1}}}}, auth: {{url: \"{service.Url}\", copyHeaders: [x-user]}}");
        _ = peers.Ask("127.0.0.1", "Authorization: ann", "X-User: forged");
        _ = peers.Accept(out var head);
        Assert.Equal(["ann"], Upgrades.Values(head, "X-User"));
        await peers.AssertRefusedAsync(peers.Ask("127.0.0.1", "Authorization: ann", "X-User: forged-again"), 429, "key_limit");
        _ = peers.Establish("127.0.0.1", "Authorization: bob", "X-User: ann");
        await peers.SettledAsync();
    }

    [Theory]
    [InlineData("limits: {connectionsPerEndpoint: 3}", "limits: {connectionsPerEndpoint: 1}", 503, "backend_full")]
    [InlineData("limits: {connectionsPerKey: {header: x-tenant, max: 3}}", "limits: {connectionsPerKey: {header: x-tenant, max: 1}}", 429, "key_limit")]
    [InlineData("limits: {connectionsPerClientAddress: 3}", "limits: {connectionsPerClientAddress: 1}", 429, "client_address_limit")]
    public async Task A_lower_limit_ends_nobody_and_admits_again_only_below_it(string before, string after, int status, string error)
    {
        await using var peers = await AdmissionPeers.StartAsync(before);
        var pairs = Enumerable.Range(0, 3).Select(_ => peers.Establish()).ToList();
        await peers.ApplyAsync(after);
        for (var left = 1; left <= 3; left++)
        {
            var (client, endpoint) = pairs[left - 1];
            await peers.AssertRefusedAsync(peers.Ask(), status, error);
            client.Send(Frames.FromClient(Frames.Text, "still here"u8));
            Assert.Equal("still here"u8.ToArray(), endpoint.ReceiveFrame().Payload);
            client.Dispose();
            _ = endpoint.ReceiveToEnd();
            endpoint.Dispose();
            await Processes.UntilAsync(() => peers.Backend.Endpoints[0].Connections == 3 - left, "one had left");
            await peers.Gateway.TurnAsync();
        }

        _ = peers.Establish();
        await peers.AssertRefusedAsync(peers.Ask(), status, error);
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Fewer_slots_and_a_shorter_queue_hold_for_those_who_come_after()
    {
        await using var peers = await AdmissionPeers.StartAsync("handshakes: {inFlightPerEndpoint: 3, queue: 3, queueTimeout: 60s}");
        var clients = new List<RawPeer>();
        var asked = new List<RawPeer>();
        for (var i = 0; i < 3; i++)
        {
            clients.Add(peers.Ask());
            asked.Add(peers.Accept());
        }

        clients.AddRange(await peers.QueueAsync("127.0.0.1", "127.0.0.1", "127.0.0.1"));
        await peers.ApplyAsync("handshakes: {inFlightPerEndpoint: 1, queue: 1, queueTimeout: 60s}");
        Assert.Equal(3, peers.Backend.Queue.Count);
        await peers.AssertRefusedAsync(peers.Ask(), 503, "queue_full");
        AdmissionPeers.Agree(asked[0], clients[0]);
        AdmissionPeers.Agree(asked[1], clients[1]);
        await peers.Gateway.TurnAsync();
        Assert.False(peers.IsDialled(), "the endpoint was asked by more than its slots allow");
        AdmissionPeers.Agree(asked[2], clients[2]);
        for (var i = 3; i < 6; i++)
            AdmissionPeers.Agree(peers.Accept(), clients[i]);
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Two_thousand_at_once_never_pass_the_limit_and_leave_nothing()
    {
        const int Limit = 50, Attempts = 2_000;
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [echo.Port],
            Backend = $"slowStart: 0s, limits: {{connectionsPerEndpoint: {Limit}, connectionsPerClientAddress: 5000}}, handshakes: {{inFlightPerEndpoint: 8, queue: 500, queueTimeout: 60s}}",
        });
        var backend = gateway.Host.Runtime.Backends.Single(static b => b.Name == "test");
        var endpoint = backend.Endpoints[0];
        var (inside, most, admitted) = (0, 0, 0);
        var clients = Enumerable.Range(0, Attempts).Select(i => Task.Run(() => ComeAndGoAsync(new Random(i)))).ToArray();
        var all = Task.WhenAll(clients);
        while (!all.IsCompleted)
        {
            Assert.InRange(endpoint.Connections, 0, Limit);
            Assert.InRange(endpoint.Handshakes, 0, 8);
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        await all;
        Assert.InRange(most, 1, Limit);
        Assert.True(admitted > Limit, "places were used again");
        await gateway.SettledAsync();
        Assert.Equal((0, 0, 0), (backend.Queue.Count, backend.Queue.Granted, backend.Counts.Addresses.Keys));
        Assert.Equal(0, (await gateway.EndpointAsync(echo.Port)).GetProperty("connections").GetInt32());

        async Task ComeAndGoAsync(Random random)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(gateway.Address);
            var request = Encoding.ASCII.GetBytes(Upgrades.Request());
            var kind = random.Next(8);
            if (kind == 0)
            {
                await socket.SendAsync(request.AsMemory(0, random.Next(request.Length)));
                return;
            }

            await socket.SendAsync(request);
            if (kind == 1)
            {
                socket.LingerState = new LingerOption(enable: true, 0);
                return;
            }

            var head = new byte[12];
            for (var read = 0; read < head.Length;)
            {
                var n = await socket.ReceiveAsync(head.AsMemory(read));
                Assert.NotEqual(0, n);
                read += n;
            }

            var status = Upgrades.Status(Encoding.ASCII.GetString(head));
            if (status != 101)
            {
                Assert.Equal(503, status);
                return;
            }

            Interlocked.Increment(ref admitted);
            var now = Interlocked.Increment(ref inside);
            for (int seen; now > (seen = Volatile.Read(ref most)) && Interlocked.CompareExchange(ref most, now, seen) != seen;)
            {
            }

            for (var i = random.Next(20); i > 0; i--)
                await Task.Yield();
            Interlocked.Decrement(ref inside);
        }
    }
}
