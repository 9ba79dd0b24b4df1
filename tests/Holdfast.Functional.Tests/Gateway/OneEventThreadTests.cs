using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Forwarding;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>The gateway's process goes on with plain requests where it reads its sockets' events: who never lets it wait may not have that thread for itself.</summary>
public sealed class OneEventThreadTests : IDisposable
{
    private readonly Socket _endpoints = RawPeer.Listen();
    private readonly List<RawPeer> _peers = [];

    [Theory]
    [InlineData("requests")]
    [InlineData("upload")]
    [InlineData("unread upload")]
    [InlineData("download")]
    [InlineData("endpoint's messages")]
    [InlineData("client's messages")]
    public async Task Whoever_sends_without_pause_keeps_nobody_waiting(string what)
    {
        var setup = new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port], Route = "hosts: [test.example]", Backend = "keepAlive: {pingInterval: 0s}" };
        await using var gateway = await GatewayProcess.StartAsync(setup, neighbour: false, processors: 1);
        var serving = Run(Serve);
        var client = Open(gateway);
        List<Task> flooding = [];
        switch (what)
        {
            case "requests":
                flooding.Add(Send(client, string.Concat(Enumerable.Repeat("GET / HTTP/1.1\r\nHost: none.test\r\n\r\n", 100))));
                break;
            case "upload":
                client.Send(HttpPeers.Request("POST", "/up", "Transfer-Encoding: chunked"));
                flooding.Add(Send(client, "4000\r\n" + new string('u', 0x4000) + "\r\n"));
                break;
            case "unread upload":
                client.Send("POST /up HTTP/1.1\r\nHost: none.test\r\nTransfer-Encoding: chunked\r\n\r\n");
                flooding.Add(Send(client, "4000\r\n" + new string('u', 0x4000) + "\r\n"));
                break;
            case "download":
                client.Send(HttpPeers.Get("/down"));
                break;
            default:
                client.Send(HttpPeers.Get("/ok"));
                Assert.Equal("ok", HttpPeers.Answer(client).Body);
                client.Send(Upgrades.Request(what == "client's messages" ? "/sink" : "/messages"));
                Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
                if (what == "client's messages")
                    flooding.Add(Send(client, Encoding.Latin1.GetString(Frames.FromClient(Frames.Binary, new byte[0x4000]))));
                break;
        }

        flooding.Add(Run(() => Drain(client)));
        for (var i = 0; i < 5; i++)
        {
            var other = Open(gateway);
            for (var j = 0; j < 5; j++)
            {
                other.Send(HttpPeers.Get("/ok"));
                Assert.Equal("ok", HttpPeers.Answer(other).Body);
            }
        }

        // A body that nobody wants is not read for ever; the others have not ended meanwhile.
        if (what != "unread upload")
            Assert.DoesNotContain(flooding, static task => task.IsCompleted);
        client.Dispose();
        await Task.WhenAll(flooding);
        Dispose();
        await serving;
    }

    public void Dispose()
    {
        _endpoints.Dispose();
        lock (_peers)
            _peers.ForEach(static p => p.Dispose());
    }

    private RawPeer Open(GatewayProcess gateway) => Kept(gateway.Connect());

    private RawPeer Kept(RawPeer peer)
    {
        lock (_peers)
            _peers.Add(peer);
        return peer;
    }

    private void Serve()
    {
        while (true)
        {
            var peer = Kept(RawPeer.Accept(_endpoints));
            _ = Run(() => Serve(peer));
        }
    }

    private static void Serve(RawPeer peer)
    {
        while (true)
        {
            var head = peer.ReceiveHead();
            switch (head.Split(' ')[1])
            {
                case "/up":
                    Drain(peer);
                    return;
                case "/down":
                    peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                    SendAll(peer, Encoding.Latin1.GetBytes("4000\r\n" + new string('d', 0x4000) + "\r\n"));
                    return;
                case "/messages":
                    peer.Send(Upgrades.Switching(head));
                    SendAll(peer, Frames.FromServer(Frames.Binary, new byte[0x4000]));
                    return;
                case "/sink":
                    peer.Send(Upgrades.Switching(head));
                    Drain(peer);
                    return;
                default:
                    peer.Send(HttpPeers.Ok());
                    break;
            }
        }
    }

    private static Task Send(RawPeer peer, string text)
    {
        var bytes = Encoding.Latin1.GetBytes(text);
        return Run(() => SendAll(peer, bytes));
    }

    private static void SendAll(RawPeer peer, byte[] bytes)
    {
        while (true)
            peer.Send(bytes);
    }

    private static void Drain(RawPeer peer)
    {
        var buffer = new byte[256 * 1024];
        while (peer.Socket.Receive(buffer) > 0)
        {
            // Whatever comes.
        }
    }

    /// <summary>On a thread of its own, until its connection is closed.</summary>
    private static Task Run(Action action) => Task.Factory.StartNew(
        () =>
        {
            try
            {
                action();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // It was closed.
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
