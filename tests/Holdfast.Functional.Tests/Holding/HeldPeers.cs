using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>A gateway that holds, its client, and endpoints that a test plays by hand: the first one has the connection.</summary>
internal sealed class HeldPeers : IAsyncDisposable
{
    private readonly List<Socket> _listeners = [];
    private readonly List<RawPeer> _peers = [];
    private GatewaySetup _setup = new();

    public GatewayFixture Gateway { get; private set; } = null!;

    public RawPeer Client { get; private set; } = null!;

    /// <summary>The endpoint's end of the connection, and the request's head there.</summary>
    public RawPeer First { get; private set; } = null!;

    public string FirstHead { get; private set; } = "";

    /// <param name="hold">The inside of <c>hold</c>.</param>
    /// <param name="others">Endpoints beside the first.</param>
    /// <param name="request">More header lines of the client's, and of the endpoint's answer.</param>
    public static async Task<HeldPeers> StartAsync(string hold, int others = 1, string[]? request = null, string[]? answer = null, string backend = "", string keepAlive = "pingInterval: 0s", bool manualTime = false, string route = "")
    {
        var peers = new HeldPeers();
        for (var i = 0; i <= others; i++)
            peers._listeners.Add(RawPeer.Listen());
        peers._setup = new GatewaySetup
        {
            Endpoints = [peers.PortOf(0)],
            Route = route,
            Backend = $"slowStart: 0s, drain: {{duration: 0s}}, keepAlive: {{{keepAlive}}}, hold: {{{hold}}}" + backend,
        };
        peers.Gateway = await GatewayFixture.StartAsync(peers._setup, manualTime);
        peers.Client = peers.Keep(peers.Gateway.Connect());
        peers.Client.Send(Upgrades.Request("/ws?secret=1", request ?? []));
        peers.First = peers.Keep(RawPeer.Accept(peers._listeners[0]));
        peers.FirstHead = peers.First.AnswerUpgrade(answer ?? []);
        var head = peers.Client.ReceiveHead();
        Assert.Equal(101, Upgrades.Status(head));
        if (others > 0)
            await peers.ApplyAsync([.. Enumerable.Range(0, others + 1)]);
        return peers;
    }

    public int PortOf(int endpoint) => ((IPEndPoint)_listeners[endpoint].LocalEndPoint!).Port;

    /// <summary>Only these endpoints are configured from here on.</summary>
    public Task ApplyAsync(params int[] endpoints) => Gateway.ApplyAsync(With(endpoints));

    public async Task DrainAsync(int endpoint = 0) => Assert.Equal(HttpStatusCode.OK, await Gateway.SendAsync(HttpMethod.Post, DrainOf(endpoint)));

    public async Task CancelDrainAsync(int endpoint = 0) => Assert.Equal(HttpStatusCode.OK, await Gateway.SendAsync(HttpMethod.Delete, DrainOf(endpoint)));

    /// <summary>Whoever the gateway dials there, before an answer.</summary>
    public RawPeer Accept(int endpoint) => Keep(RawPeer.Accept(_listeners[endpoint]));

    /// <summary>The gateway's next connection there, upgraded.</summary>
    public RawPeer TakeOver(int endpoint, out string head, params string[] more)
    {
        var peer = Accept(endpoint);
        head = peer.AnswerUpgrade(more);
        return peer;
    }

    public RawPeer TakeOver(int endpoint = 1) => TakeOver(endpoint, out _);

    /// <summary>Whichever of two endpoints the gateway dials.</summary>
    public RawPeer AcceptAny(int one, int two) => AcceptAny(one, two, out _);

    public RawPeer AcceptAny(int one, int two, out int other)
    {
        var ready = new List<Socket> { _listeners[one], _listeners[two] };
        Socket.Select(ready, null, null, RawPeer.Patience);
        Assert.NotEmpty(ready);
        other = ready[0] == _listeners[one] ? two : one;
        return Accept(one + two - other);
    }

    /// <summary>Somebody waits to be accepted there.</summary>
    public bool IsDialled(int endpoint) => _listeners[endpoint].Poll(0, SelectMode.SelectRead);

    /// <summary>Another endpoint, not configured.</summary>
    public int Listen()
    {
        _listeners.Add(RawPeer.Listen());
        return _listeners.Count - 1;
    }

    public GatewaySetup With(params int[] endpoints) => _setup with { Endpoints = [.. endpoints.Select(PortOf)] };

    /// <summary>The admin API tells so of the client's connection.</summary>
    public async Task UntilAsync(string member, bool value = true)
    {
        using var http = new HttpClient();
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (true)
        {
            using var answer = System.Text.Json.JsonDocument.Parse(await http.GetStringAsync(new Uri($"http://{Gateway.Host.AdminAddress}/v1/connections"), limit.Token));
            if (answer.RootElement.GetProperty("connections").EnumerateArray().Any(
                c => c.GetProperty("backend").GetString() == "test" && (c.TryGetProperty(member, out var m) && m.GetBoolean()) == value))
                return;
            await Task.Yield();
        }
    }

    /// <summary>The gateway has read so many bytes from the endpoint.</summary>
    public async Task ReadAsync(long bytes) => await Processes.UntilAsync(
        () => Gateway.Host.Runtime.Loops.Sum(l => l.Traffic.Sum(t => t.BytesToClient)) >= bytes, "the gateway read it");

    public void Refuse(int endpoint) => _listeners[endpoint].Dispose();

    public async ValueTask DisposeAsync()
    {
        foreach (var peer in _peers)
            peer.Dispose();
        await Gateway.DisposeAsync();
        foreach (var listener in _listeners)
            listener.Dispose();
    }

    private RawPeer Keep(RawPeer peer)
    {
        _peers.Add(peer);
        return peer;
    }

    private string DrainOf(int endpoint) => string.Create(CultureInfo.InvariantCulture, $"/v1/backends/test/endpoints/127.0.0.1:{PortOf(endpoint)}/drain");
}

/// <summary>Messages as text, and what is expected of them.</summary>
internal static class HeldMessages
{
    public static void Say(this RawPeer client, string text) => client.Send(Frames.FromClient(Frames.Text, Encoding.UTF8.GetBytes(text)));

    public static void Tell(this RawPeer endpoint, string text) => endpoint.Send(Frames.FromServer(Frames.Text, Encoding.UTF8.GetBytes(text)));

    /// <summary>The next frame is this text.</summary>
    public static void Hears(this RawPeer peer, string text)
    {
        var frame = peer.ReceiveFrame();
        Assert.Equal((Frames.Text, text), (frame.Opcode, Encoding.UTF8.GetString(frame.Payload)));
    }

    /// <summary>The next text; the gateway's own pings before it are answered.</summary>
    public static string NextText(this RawPeer endpoint)
    {
        while (true)
        {
            var frame = endpoint.ReceiveFrame();
            if (frame.Opcode == Frames.Ping)
            {
                endpoint.Send(Frames.FromServer(Frames.Pong, frame.Payload));
                continue;
            }

            Assert.Equal(Frames.Text, frame.Opcode);
            return Encoding.UTF8.GetString(frame.Payload);
        }
    }

    /// <summary>Answers the gateway's pings until its Close comes; the code.</summary>
    public static int UntilClose(this RawPeer endpoint)
    {
        while (true)
        {
            var frame = endpoint.ReceiveFrame();
            if (frame.Opcode == Frames.Ping)
                endpoint.Send(Frames.FromServer(Frames.Pong, frame.Payload));
            else if (frame.Opcode == Frames.Close)
                return frame.CloseCode;
        }
    }

    /// <summary>The gateway's ping, unanswered; what came before it is text.</summary>
    public static ReceivedFrame NextPing(this RawPeer endpoint)
    {
        while (true)
        {
            var frame = endpoint.ReceiveFrame();
            if (frame.Opcode == Frames.Ping)
                return frame;
        }
    }

    /// <summary>As a client: answers pings until a text comes.</summary>
    public static string AnswerPings(this RawPeer client)
    {
        while (true)
        {
            var frame = client.ReceiveFrame();
            if (frame.Opcode == Frames.Text)
                return Encoding.UTF8.GetString(frame.Payload);
            Assert.Equal(Frames.Ping, frame.Opcode);
            client.Send(Frames.FromClient(Frames.Pong, frame.Payload));
        }
    }

    public static void Pong(this RawPeer endpoint, ReceivedFrame ping) => endpoint.Send(Frames.FromServer(Frames.Pong, ping.Payload));

    /// <summary>The client is told the end, and answers.</summary>
    public static ReceivedFrame EndsWith(this RawPeer client, int code)
    {
        var frame = client.ReceiveFrame();
        Assert.Equal((Frames.Close, code), (frame.Opcode, frame.CloseCode));
        client.Send(Frames.FromClient(Frames.Close, frame.Payload));
        client.Finish();
        return frame;
    }
}
