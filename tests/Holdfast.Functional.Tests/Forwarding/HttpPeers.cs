using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>A gateway before raw endpoints, for requests that are no upgrades.</summary>
internal sealed class HttpPeers : IAsyncDisposable
{
    private readonly Socket[] _listeners;

    private HttpPeers(int endpoints) => _listeners = [.. Enumerable.Range(0, endpoints).Select(_ => RawPeer.Listen())];

    public GatewayFixture Gateway { get; private set; } = null!;

    public IReadOnlyList<Socket> Listeners => _listeners;

    public int PortOf(int endpoint) => ((IPEndPoint)_listeners[endpoint].LocalEndPoint!).Port;

    public static async Task<HttpPeers> StartAsync(int endpoints = 1, Func<GatewaySetup, GatewaySetup>? change = null)
    {
        var peers = new HttpPeers(endpoints);
        var setup = new GatewaySetup { Endpoints = [.. Enumerable.Range(0, endpoints).Select(peers.PortOf)] };
        peers.Gateway = await GatewayFixture.StartAsync(change?.Invoke(setup) ?? setup);
        return peers;
    }

    public RawPeer Connect() => Gateway.Connect();

    /// <summary>The next connection to an endpoint.</summary>
    public RawPeer Accept(int endpoint = 0) => RawPeer.Accept(_listeners[endpoint]);

    /// <summary>Nobody has connected to any endpoint meanwhile.</summary>
    public void AssertNoConnection() => Assert.All(_listeners, static l => Assert.False(l.Poll(0, SelectMode.SelectRead), "an endpoint was connected to once more"));

    public static string Get(string path = "/", params string[] lines) => Request("GET", path, lines);

    public static string Request(string method, string path, params string[] lines) =>
        $"{method} {path} HTTP/1.1\r\nHost: test.example\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n";

    /// <summary>A whole answer with a body of this text.</summary>
    public static string Ok(string body = "ok", params string[] lines) =>
        string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n{body}");

    /// <summary>Reads one whole answer.</summary>
    public static (string Head, string Body) Answer(RawPeer client, bool isHead = false)
    {
        var head = client.ReceiveHead();
        if (isHead || Upgrades.Status(head) is 204 or 304)
            return (head, "");
        return (head, Encoding.Latin1.GetString(Upgrades.Value(head, "Transfer-Encoding") is null
            ? client.Receive(int.Parse(Upgrades.Value(head, "Content-Length")!, CultureInfo.InvariantCulture))
            : Chunks(client, out _)));
    }

    /// <summary>A chunked body's data, and its trailers.</summary>
    public static byte[] Chunks(RawPeer peer, out string trailers)
    {
        using var all = new MemoryStream();
        while (true)
        {
            var size = Convert.ToInt32(Line(peer).Split(';')[0], 16);
            if (size == 0)
                break;
            all.Write(peer.Receive(size));
            Assert.Equal("\r\n"u8.ToArray(), peer.Receive(2));
        }

        var lines = new StringBuilder();
        for (var line = Line(peer); line.Length > 0; line = Line(peer))
            lines.Append(line).Append("\r\n");
        trailers = lines.ToString();
        return all.ToArray();
    }

    /// <summary>What comes until the peer ends the connection, by FIN or reset.</summary>
    public static string ToEnd(RawPeer peer)
    {
        using var all = new MemoryStream();
        var buffer = new byte[65536];
        try
        {
            for (int n; (n = peer.Socket.Receive(buffer)) > 0;)
                all.Write(buffer, 0, n);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // As good an end.
        }

        return Encoding.Latin1.GetString(all.ToArray());
    }

    /// <summary>FIN, or a reset.</summary>
    public static void End(RawPeer peer, bool reset)
    {
        if (reset)
            peer.Reset();
        else
            peer.Dispose();
    }

    /// <summary>The access log's line of the request with this path.</summary>
    public async Task<System.Text.Json.JsonElement> LineAsync(string path)
    {
        System.Text.Json.JsonElement? found = null;
        await Processes.UntilAsync(
            () => (found = Gateway.Log.All.Cast<System.Text.Json.JsonElement?>().FirstOrDefault(l =>
                l!.Value.GetProperty("event").GetString() == "request" && l.Value.GetProperty("path").GetString() == path)) is not null,
            "the access log had the request's line");
        return found!.Value;
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        foreach (var listener in _listeners)
            listener.Dispose();
    }

    private static string Line(RawPeer peer)
    {
        var line = new StringBuilder();
        while (!line.ToString().EndsWith("\r\n", StringComparison.Ordinal))
            line.Append((char)peer.Receive(1)[0]);
        return line.ToString(0, line.Length - 2);
    }
}
