using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Admission;

/// <summary>A gateway, clients that come to it from addresses of their own, and endpoints that a test plays by hand.</summary>
internal sealed class AdmissionPeers : IAsyncDisposable
{
    private readonly List<Socket> _listeners = [];
    private readonly List<RawPeer> _peers = [];

    public GatewayFixture Gateway { get; private set; } = null!;

    public GatewaySetup Setup { get; private set; } = new();

    public BackendState Backend => Gateway.Host.Runtime.BackendOf(Gateway.Host.Runtime.KnownBackends.Single(static b => b.Name == "test").Id);

    /// <param name="backend">The backend's settings, as flow map's inside.</param>
    public static async Task<AdmissionPeers> StartAsync(string backend, int endpoints = 1, bool manualTime = false)
    {
        var peers = new AdmissionPeers();
        for (var i = 0; i < endpoints; i++)
            peers._listeners.Add(RawPeer.Listen());
        peers.Setup = new GatewaySetup { Endpoints = [.. Enumerable.Range(0, endpoints).Select(peers.PortOf)], Backend = With(backend) };
        peers.Gateway = await GatewayFixture.StartAsync(peers.Setup, manualTime);
        return peers;
    }

    public int PortOf(int endpoint) => ((IPEndPoint)_listeners[endpoint].LocalEndPoint!).Port;

    public Task ApplyAsync(string backend) => Gateway.ApplyAsync(Setup = Setup with { Backend = With(backend) });

    public RawPeer Connect(string from = "127.0.0.1")
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        socket.Connect(Gateway.Address);
        return Keep(new RawPeer(socket));
    }

    /// <summary>A client that has sent its request.</summary>
    public RawPeer Ask(string from = "127.0.0.1", params string[] lines)
    {
        var client = Connect(from);
        client.Send(Upgrades.Request("/ws", lines));
        return client;
    }

    /// <summary>Clients that have sent their requests one after the other, all of which wait.</summary>
    public async Task<List<RawPeer>> QueueAsync(params string[] from)
    {
        var clients = new List<RawPeer>();
        var before = Backend.Queue.Count;
        foreach (var address in from)
        {
            clients.Add(Ask(address));
            await WaitingAsync(before + clients.Count);
        }

        return clients;
    }

    public Task WaitingAsync(int count) => Processes.UntilAsync(() => Backend.Queue.Count == count, $"{count} waited");

    /// <summary>The gateway's next connection to an endpoint, its request read.</summary>
    public RawPeer Accept(out string head, int endpoint = 0)
    {
        var peer = Keep(RawPeer.Accept(_listeners[endpoint]));
        head = peer.ReceiveHead();
        return peer;
    }

    public RawPeer Accept(int endpoint = 0) => Accept(out _, endpoint);

    public bool IsDialled(int endpoint = 0) => _listeners[endpoint].Poll(0, SelectMode.SelectRead);

    public void Refuse(int endpoint = 0) => _listeners[endpoint].Dispose();

    public (RawPeer Client, RawPeer Endpoint) Establish(string from = "127.0.0.1", params string[] lines)
    {
        var client = Ask(from, lines);
        var endpoint = Accept();
        Agree(endpoint, client);
        return (client, endpoint);
    }

    /// <summary>The endpoint answers 101, and the client hears of it.</summary>
    public static void Agree(RawPeer endpoint, RawPeer client)
    {
        endpoint.Send(Upgrades.Switching($"GET / HTTP/1.1\r\nSec-WebSocket-Key: {Upgrades.Key}\r\n\r\n"));
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
    }

    /// <summary>What a limit's refusal looks like, whole.</summary>
    public async Task AssertRefusedAsync(RawPeer client, int status, string error, int retryAfter = 1)
    {
        var head = client.ReceiveHead();
        Assert.Equal(
            (status, retryAfter.ToString(System.Globalization.CultureInfo.InvariantCulture), "application/json", "close"),
            (Upgrades.Status(head), Upgrades.Value(head, "Retry-After"), Upgrades.Value(head, "Content-Type"), Upgrades.Value(head, "Connection")));
        using var body = JsonDocument.Parse(client.ReceiveToEnd());
        Assert.Equal(error, body.RootElement.GetProperty("error").GetString());
        Assert.Equal(retryAfter, body.RootElement.GetProperty("retryAfter").GetInt32());
        Assert.NotEmpty(body.RootElement.GetProperty("message").GetString()!);
        var line = await Gateway.Log.OfAsync(client);
        Assert.Equal((error, status), (line.GetProperty("outcome").GetString(), line.GetProperty("status").GetInt32()));
    }

    public Task<double> RefusalsAsync(string limit) => Gateway.MetricAsync("holdfast_limit_refusals_total", "backend=\"test\"", $"limit=\"{limit}\"");

    /// <summary>Everybody leaves, and nothing is left.</summary>
    public async Task SettledAsync()
    {
        foreach (var peer in _peers)
            peer.Dispose();
        await Gateway.SettledAsync();
        Assert.Equal((0, 0), (Backend.Queue.Count, Backend.Queue.Granted));
        Assert.Equal((0, 0), (Backend.Counts.Addresses.Keys, Backend.Counts.Keys.Keys));
        Assert.Equal(0, await Gateway.MetricAsync("holdfast_handshake_queue"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var peer in _peers)
            peer.Dispose();
        foreach (var listener in _listeners)
            listener.Dispose();
        if (Gateway is not null)
            await Gateway.DisposeAsync();
    }

    private static string With(string backend) => "slowStart: 0s, keepAlive: {pingInterval: 0s}, " + backend;

    private RawPeer Keep(RawPeer peer)
    {
        _peers.Add(peer);
        return peer;
    }
}
