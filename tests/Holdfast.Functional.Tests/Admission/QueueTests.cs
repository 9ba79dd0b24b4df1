using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Admission;

/// <summary>Handshakes that wait for a backend, over real sockets: whose turn it is, and what ends their waiting.</summary>
public sealed class QueueTests
{
    private const string OneSlot = "handshakes: {inFlightPerEndpoint: 1, queue: 8, queueTimeout: 60s}";

    [Fact]
    public async Task Who_has_waited_long_enough_gets_503_and_is_counted()
    {
        await using var peers = await AdmissionPeers.StartAsync("handshakes: {inFlightPerEndpoint: 1, queue: 8, queueTimeout: 5s}", manualTime: true);
        var first = peers.Ask();
        var endpoint = peers.Accept();
        var waiting = Assert.Single(await peers.QueueAsync("127.0.0.2"));
        await peers.Gateway.AdvanceAsync(TimeSpan.FromSeconds(4.8));
        Assert.Equal(0, waiting.Socket.Available);
        await peers.Gateway.AdvanceAsync(TimeSpan.FromSeconds(0.4));
        await peers.AssertRefusedAsync(waiting, 503, "queue_timeout");
        Assert.Equal(1, await peers.RefusalsAsync("queue_timeout"));
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_handshakes_total", "outcome=\"queue_timeout\""));
        Assert.Equal(0, await peers.Gateway.MetricAsync("holdfast_handshake_queue"));
        AdmissionPeers.Agree(endpoint, first);
        Assert.False(peers.IsDialled(), "who was refused was served as well");
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Who_leaves_makes_room_for_another()
    {
        await using var peers = await AdmissionPeers.StartAsync("handshakes: {inFlightPerEndpoint: 1, queue: 2, queueTimeout: 60s}");
        var first = peers.Ask();
        var endpoint = peers.Accept();
        var waiting = await peers.QueueAsync("127.0.0.2", "127.0.0.2");
        Assert.Equal(2, await peers.Gateway.MetricAsync("holdfast_handshake_queue", "backend=\"test\""));
        await peers.AssertRefusedAsync(peers.Ask("127.0.0.2"), 503, "queue_full");
        waiting[0].Reset();
        await peers.WaitingAsync(1);
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_handshake_queue", "backend=\"test\""));
        var third = Assert.Single(await peers.QueueAsync("127.0.0.2"));
        AdmissionPeers.Agree(endpoint, first);
        AdmissionPeers.Agree(peers.Accept(), waiting[1]);
        AdmissionPeers.Agree(peers.Accept(), third);
        Assert.Equal(1, await peers.Gateway.MetricAsync("holdfast_handshakes_total", "backend=\"test\"", "outcome=\"client_gone\""));
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Whoever_fills_the_queue_alone_loses_the_newest_place_to_another_address()
    {
        await using var peers = await AdmissionPeers.StartAsync("handshakes: {inFlightPerEndpoint: 1, queue: 4, queueTimeout: 60s}");
        _ = peers.Ask();
        _ = peers.Accept();
        var greedy = await peers.QueueAsync("127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2");
        await peers.AssertRefusedAsync(peers.Ask("127.0.0.2"), 503, "queue_full");
        _ = peers.Ask("127.0.0.3");
        await peers.AssertRefusedAsync(greedy[3], 503, "queue_full");
        _ = peers.Ask("127.0.0.4");
        await peers.AssertRefusedAsync(greedy[2], 503, "queue_full");
        // Two of it wait as of nobody else: who has one already takes no more from it.
        await peers.AssertRefusedAsync(peers.Ask("127.0.0.3"), 503, "queue_full");
        Assert.Equal((4, 4), (peers.Backend.Queue.Count, await peers.RefusalsAsync("queue")));
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Addresses_take_turns_however_many_wait_of_each()
    {
        await using var peers = await AdmissionPeers.StartAsync(OneSlot);
        var first = peers.Ask();
        var endpoint = peers.Accept();
        string[] order = ["127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.4"];
        var waiting = await peers.QueueAsync(order);
        AdmissionPeers.Agree(endpoint, first);
        var served = new List<string>();
        foreach (var i in (int[])[0, 3, 4, 1, 5, 2])
        {
            var next = peers.Accept(out var head);
            served.Add(Upgrades.Value(head, "X-Forwarded-For")!);
            AdmissionPeers.Agree(next, waiting[i]);
        }

        Assert.Equal(["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.2", "127.0.0.4", "127.0.0.2"], served);
        await peers.SettledAsync();
    }

    [Fact]
    public async Task The_rate_lets_a_burst_go_and_then_each_in_its_time()
    {
        await using var peers = await AdmissionPeers.StartAsync(
            "handshakes: {inFlightPerEndpoint: 0, ratePerSecond: 10, burst: 2, queue: 6, queueTimeout: 60s}", manualTime: true);
        for (var i = 0; i < 2; i++)
            _ = peers.Establish();
        var clients = await peers.QueueAsync([.. Enumerable.Repeat("127.0.0.1", 6)]);
        await peers.Gateway.AdvanceAsync(TimeSpan.FromSeconds(0.09));
        Assert.Equal(6, peers.Backend.Queue.Count);
        Assert.False(peers.IsDialled(), "the rate was passed");

        // Whoever is turned away is told when its turn might come: after those six at ten a second.
        await peers.AssertRefusedAsync(peers.Ask(), 503, "queue_full");
        foreach (var client in clients)
        {
            await peers.Gateway.AdvanceAsync(TimeSpan.FromSeconds(0.1));
            AdmissionPeers.Agree(peers.Accept(), client);
            Assert.False(peers.IsDialled(), "the rate was passed");
        }

        await peers.SettledAsync();
    }

    [Fact]
    public async Task Retry_After_is_the_time_that_the_queue_takes_at_the_rate()
    {
        await using var peers = await AdmissionPeers.StartAsync(
            "handshakes: {inFlightPerEndpoint: 0, ratePerSecond: 1, burst: 1, queue: 5, queueTimeout: 60s}", manualTime: true);
        _ = peers.Establish();
        _ = await peers.QueueAsync([.. Enumerable.Repeat("127.0.0.1", 5)]);
        await peers.AssertRefusedAsync(peers.Ask(), 503, "queue_full", retryAfter: 5);
        await peers.SettledAsync();
    }

    [Fact]
    public async Task Who_is_bound_to_a_busy_endpoint_waits_for_it_without_stopping_others()
    {
        await using var peers = await AdmissionPeers.StartAsync("affinity: {header: {name: x-room}}, " + OneSlot, endpoints: 2);
        var rooms = new string?[2];
        for (var i = 0; rooms.Contains(null); i++)
        {
            using var probe = peers.Ask("127.0.0.1", "X-Room: " + i);
            await Processes.UntilAsync(() => peers.IsDialled(0) || peers.IsDialled(1), "it was dialled");
            var at = peers.IsDialled(0) ? 0 : 1;
            rooms[at] = "X-Room: " + i;
            using var endpoint = peers.Accept(at);
            AdmissionPeers.Agree(endpoint, probe);
            probe.Dispose();
            endpoint.Dispose();
            await Processes.UntilAsync(() => peers.Backend.Endpoints.ToArray().All(static e => e.Connections == 0), "it left");
        }

        var first = peers.Ask("127.0.0.1", rooms[0]!);
        var busy = peers.Accept(0);
        var second = peers.Ask("127.0.0.1", rooms[0]!);
        await peers.WaitingAsync(1);
        var third = peers.Ask("127.0.0.1", rooms[1]!);
        var other = peers.Accept(1);
        // Nor do those without a room.
        var fourth = peers.Ask();
        await peers.WaitingAsync(2);
        AdmissionPeers.Agree(other, third);
        AdmissionPeers.Agree(peers.Accept(1), fourth);
        Assert.False(peers.IsDialled(0), "it was asked by more than its slots allow");
        Assert.Equal(1, peers.Backend.Queue.Count);
        AdmissionPeers.Agree(busy, first);
        AdmissionPeers.Agree(peers.Accept(0), second);
        await peers.SettledAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_gateway_that_leaves_lets_go_of_all_that_wait(bool atOnce)
    {
        await using var peers = await AdmissionPeers.StartAsync("handshakes: {inFlightPerEndpoint: 1, queue: 64, queueTimeout: 60s}");
        var dialled = peers.Ask();
        _ = peers.Accept();
        var waiting = await peers.QueueAsync([.. Enumerable.Range(0, 50).Select(static i => "127.0.0." + (2 + (i % 5)))]);
        await peers.Gateway.Host.StopAsync(atOnce).WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken);
        Assert.All([dialled, .. waiting], static c => Assert.Empty(c.ReceiveToEnd()));
        Assert.Equal((0, 0), (peers.Backend.Queue.Count, peers.Backend.Queue.Granted));
        Assert.Equal((0, 0), (peers.Backend.Endpoints[0].Connections, peers.Backend.Endpoints[0].Handshakes));
        await Processes.UntilAsync(() => peers.Gateway.Log.All.Count(static l => l.TryGetProperty("outcome", out var o) && o.GetString() == "shutdown") == 51, "each was told of");
    }

    [Fact]
    public async Task When_the_backend_dies_nobody_goes_on_waiting()
    {
        const int Count = 500;
        await using var peers = await AdmissionPeers.StartAsync("handshakes: {inFlightPerEndpoint: 4, queue: 1024, queueTimeout: 60s}");
        var clients = Enumerable.Range(0, Count + 4).Select(_ => peers.Ask()).ToList();
        var asked = Enumerable.Range(0, 4).Select(_ => peers.Accept()).ToList();
        await peers.WaitingAsync(Count);
        peers.Refuse();
        asked.ForEach(static e => e.Reset());
        Assert.All(clients, static c => Assert.Equal(502, Upgrades.Status(c.ReceiveHead())));
        Assert.Equal(Count + 4, await peers.Gateway.MetricAsync("holdfast_handshakes_total", "backend=\"test\"", "outcome=\"endpoint_failed\""));
        await peers.SettledAsync();
    }

    [Fact]
    public async Task When_the_backend_is_removed_who_waits_is_told_and_when_only_its_route_is_they_are_served()
    {
        await using var peers = await AdmissionPeers.StartAsync(OneSlot);
        string Gone(string name) => $"{name}: {{endpoints: [\"127.0.0.1:{peers.PortOf(0)}\"], {OneSlot}}}";
        string Route(string name) => $"path: {{prefix: /{name}}}, backend: {name}";
        await peers.Gateway.ApplyAsync(peers.Setup with { Routes = [Route("one"), Route("two")], Backends = [Gone("one"), Gone("two")] });
        var (one, two) = (Find("one"), Find("two"));
        var first = Ask("/one");
        var endpoint = peers.Accept();
        var removed = Ask("/one");
        var second = Ask("/two");
        var other = peers.Accept();
        var kept = Ask("/two");
        await Processes.UntilAsync(() => (one.Queue.Count, two.Queue.Count) == (1, 1), "both waited");

        await peers.Gateway.ApplyAsync(peers.Setup with { Backends = [Gone("two")] });
        var head = removed.ReceiveHead();
        Assert.Equal((503, "1"), (Upgrades.Status(head), Upgrades.Value(head, "Retry-After")));
        Assert.Equal("no_endpoint", (await peers.Gateway.Log.OfAsync(removed)).GetProperty("outcome").GetString());
        // What was dialled before goes on.
        AdmissionPeers.Agree(endpoint, first);
        AdmissionPeers.Agree(other, second);
        AdmissionPeers.Agree(peers.Accept(), kept);
        Assert.All([one, two], static b => Assert.Equal((0, 0), (b.Queue.Count, b.Queue.Granted)));

        RawPeer Ask(string target)
        {
            var client = peers.Connect();
            client.Send(Upgrades.Request(target));
            return client;
        }

        Holdfast.Gateway.LoadBalancing.BackendState Find(string name) => peers.Gateway.Host.Runtime.Backends.Single(b => b.Name == name);
    }
}
