using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>What docs/limits-and-throttling.md says, with its configuration as it stands there but for the addresses.</summary>
public sealed class LimitsPageTests : IAsyncDisposable
{
    private const string Page = "docs/limits-and-throttling.md";

    private readonly Socket _endpoints = RawPeer.Listen();
    private readonly List<RawPeer> _peers = [];
    private readonly HttpClient _http = new();
    private readonly AccessLines _log = new();
    private readonly GatewayConfiguration _shown;
    private GatewayHost _gateway = null!;

    public LimitsPageTests()
    {
        var read = ConfigurationReader.Read(CodeBlock.Only(Page, "yaml").Text, Page);
        Assert.Empty(read.Faults);
        _shown = read.Configuration!;
    }

    private BackendOptions Chat => _shown.Backends[0];

    [Fact]
    public async Task A_client_address_has_so_many_connections_and_no_more()
    {
        await StartAsync();
        var most = Chat.Limits.ConnectionsPerClientAddress;
        var first = Establish("127.0.0.1");
        for (var i = 1; i < most; i++)
            Establish("127.0.0.1");

        var refused = Connect("127.0.0.1");
        refused.Send(Upgrades.Request());
        var (head, body) = Answer(refused);
        Assert.Equal((429, "1", "application/json"), (Upgrades.Status(head), Upgrades.Value(head, "Retry-After"), Upgrades.Value(head, "Content-Type")));
        Assert.Equal("client_address_limit", body.GetProperty("error").GetString());
        Assert.Equal(1, body.GetProperty("retryAfter").GetInt32());
        Assert.NotEmpty(body.GetProperty("message").GetString()!);

        // Another address has its own; and who leaves makes room.
        Establish("127.0.0.2");
        first.Client.Dispose();
        first.Endpoint.Dispose();
        await Processes.UntilAsync(() => _gateway.Runtime.Established == most, "one had left");
        Establish("127.0.0.1");
        Assert.Equal(1, await MetricAsync("holdfast_limit_refusals_total", "limit=\"connections_per_client_address\""));
    }

    [Fact]
    public async Task A_message_over_the_size_ends_the_connection_with_1009_before_the_endpoint_sees_it()
    {
        await StartAsync();
        var (client, endpoint) = Establish("127.0.0.1");
        var most = new byte[Chat.Limits.MessageBytes];
        client.Send(Frames.FromClient(Frames.Binary, most));
        Assert.Equal(most, endpoint.ReceiveFrame().Payload);
        client.Send(Frames.FromClient(Frames.Binary, new byte[most.Length + 1]));
        AssertClosed(client, 1009, "message over 65536 bytes");
        AssertClosed(endpoint, 1001, null);
    }

    [Fact]
    public async Task Messages_over_the_rate_end_the_connection_with_1008()
    {
        await StartAsync();
        var (client, endpoint) = Establish("127.0.0.1");
        // More than a burst and whatever a slow machine's seconds add to it.
        var frames = new List<byte>();
        for (var i = 0; i < 100 * Chat.Limits.MessagesPerSecond; i++)
            frames.AddRange(Frames.FromClient(Frames.Text, "x"u8));
        client.Send(frames.ToArray());
        AssertClosed(client, 1008, "more than 50 messages per second");
        var passed = 0;
        while (endpoint.ReceiveFrame().Opcode == Frames.Text)
            passed++;
        Assert.True(passed >= Chat.Limits.MessagesPerSecond);
    }

    [Fact]
    public async Task Handshakes_beyond_the_slots_wait_and_are_all_served()
    {
        await StartAsync();
        // Both of the page's endpoints are this one here.
        var slots = Chat.Handshakes.InFlightPerEndpoint;
        const int More = 10;
        var clients = Enumerable.Range(0, slots + More).Select(_ => Connect("127.0.0.1")).ToList();
        clients.ForEach(static c => c.Send(Upgrades.Request()));
        var asked = Enumerable.Range(0, slots).Select(_ => Accept()).ToList();
        await Processes.UntilAsync(() => _gateway.Runtime.Backends[0].Queue.Count == More, "the others waited");
        Assert.Equal(More, await MetricAsync("holdfast_handshake_queue"));
        Assert.False(_endpoints.Poll(0, SelectMode.SelectRead), "an endpoint was asked by more than its slots allow");

        // Each answer lets one of them go on.
        asked.ForEach(static e => _ = e.AnswerUpgrade());
        for (var i = 0; i < More; i++)
            _ = Accept().AnswerUpgrade();
        Assert.All(clients, static c => Assert.Equal(101, Upgrades.Status(c.ReceiveHead())));
        Assert.Equal(0, _gateway.Runtime.Backends[0].Queue.Count);
        Assert.Equal(0, await MetricAsync("holdfast_limit_refusals_total"));
    }

    [Fact]
    public async Task A_lower_limit_ends_nobody_and_admits_no_more()
    {
        await StartAsync();
        var (client, endpoint) = Establish("127.0.0.1");
        _ = Establish("127.0.0.1");
        await _gateway.ApplyAsync(Local() with { Backends = [Local().Backends[0] with { Limits = Chat.Limits with { ConnectionsPerClientAddress = 1 } }] });
        var refused = Connect("127.0.0.1");
        Assert.Equal(429, Upgrades.Status(refused.Upgrade()));
        client.Send(Frames.FromClient(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), endpoint.ReceiveFrame().Payload);
    }

    [Fact]
    public void The_page_reckons_with_its_own_numbers()
    {
        var handshakes = Chat.Handshakes;
        Assert.Equal(handshakes.RatePerSecond * handshakes.QueueTimeout.TotalSeconds, handshakes.Queue);
        var shown = JsonDocument.Parse(CodeBlock.Only(Page, "http").Text.Split("\n\n")[1]).RootElement;
        Assert.Equal(["error", "message", "retryAfter"], shown.EnumerateObject().Select(static p => p.Name));
    }

    public async ValueTask DisposeAsync()
    {
        _peers.ForEach(static p => p.Dispose());
        _endpoints.Dispose();
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        _http.Dispose();
        await _log.DisposeAsync();
    }

    private async Task StartAsync() => _gateway = await GatewayHost.StartAsync(Local(), new GatewayHostOptions
    {
        Loops = 2,
        AccessLog = _log,
        Names = new ResolverSources { ResolvConf = "/dev/null", Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, 1)] },
        LogLevel = LogLevel.Error,
    });

    /// <summary>The page's configuration on this machine: one endpoint, free ports.</summary>
    private GatewayConfiguration Local() => _shown with
    {
        Listeners = [_shown.Listeners[0] with { Address = new(IPAddress.Loopback, 0) }],
        Admin = new() { Address = new(IPAddress.Loopback, 0) },
        Backends = [Chat with { Endpoints = [new("127.0.0.1", ((IPEndPoint)_endpoints.LocalEndPoint!).Port)], SlowStart = TimeSpan.Zero }],
        Shutdown = new() { Delay = TimeSpan.Zero, Duration = TimeSpan.Zero },
    };

    private RawPeer Connect(string from)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        socket.Connect(_gateway.Addresses[0]);
        return Keep(new RawPeer(socket));
    }

    private RawPeer Accept() => Keep(RawPeer.Accept(_endpoints));

    private RawPeer Keep(RawPeer peer)
    {
        _peers.Add(peer);
        return peer;
    }

    private (RawPeer Client, RawPeer Endpoint) Establish(string from)
    {
        var client = Connect(from);
        client.Send(Upgrades.Request());
        var endpoint = Accept();
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        return (client, endpoint);
    }

    private static (string Head, JsonElement Body) Answer(RawPeer client)
    {
        var head = client.ReceiveHead();
        return (head, JsonDocument.Parse(client.ReceiveToEnd()).RootElement.Clone());
    }

    /// <summary>Everything up to the Close frame is skipped.</summary>
    private static void AssertClosed(RawPeer peer, int code, string? reason)
    {
        ReceivedFrame frame;
        do
            frame = peer.ReceiveFrame();
        while (frame.Opcode != Frames.Close);
        Assert.Equal(code, (frame.Payload[0] << 8) | frame.Payload[1]);
        if (reason is not null)
            Assert.Equal(reason, Encoding.UTF8.GetString(frame.Payload.AsSpan(2)));
    }

    private async Task<double> MetricAsync(string name, params string[] labels) =>
        GatewayFixture.Sum(await _http.GetStringAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://{_gateway.AdminAddress}/metrics"))), name, labels);
}
