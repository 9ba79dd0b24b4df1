using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Lint;

/// <summary>A real proxy between clients and endpoints of which the test holds both ends: what claims about proxies are shown on.</summary>
public abstract class ProxyClaims : IAsyncDisposable
{
    /// <summary>Far below every time-out that must not strike, so that a busy machine does not make a talking client look silent.</summary>
    private static readonly TimeSpan Talk = TimeSpan.FromMilliseconds(50);

    private readonly List<RawPeer> _peers = [];
    private ChildProcess? _proxy;

    private protected string Folder { get; } = Directory.CreateTempSubdirectory("holdfast-proxy-").FullName;

    private protected Socket Endpoint { get; } = RawPeer.Listen();

    /// <summary>What the proxy wrote.</summary>
    private protected Lines Output { get; } = new();

    private protected bool HasEnded => _proxy is { Exited.IsCompleted: true };

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        _peers.ForEach(p => p.Dispose());
        Endpoint.Dispose();
        if (_proxy is not null)
        {
            _proxy.Terminate();
            await _proxy.DisposeAsync();
        }

        Directory.Delete(Folder, recursive: true);
    }

    private protected static void SkipWithout(string tool)
    {
        if (Requires.Tool(tool) is { } reason)
            Assert.Skip(reason);
    }

    private protected static int Port(Socket listener) => ((IPEndPoint)listener.LocalEndPoint!).Port;

    /// <summary>Starts the proxy and waits for what shows that it serves.</summary>
    private protected async Task StartAsync(string tool, IReadOnlyList<string> arguments, Func<bool> isReady)
    {
        _proxy = ChildProcess.Start(new ChildSpec(Requires.Find(tool)!, arguments, new Dictionary<string, string>(StringComparer.Ordinal)), Output.Add, TimeProvider.System);
        await Processes.UntilAsync(() => HasEnded || isReady(), tool + " started");
        Assert.False(HasEnded, string.Join('\n', Output.All));
    }

    /// <summary>Sends a signal to the process whose id stands in the file <c>pid</c> of the folder.</summary>
    private protected async Task SignalAsync(string signal)
    {
        var id = (await File.ReadAllTextAsync(Path.Combine(Folder, "pid"))).Trim();
        using var kill = Process.Start("kill", ["-" + signal, id]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, kill.ExitCode);
    }

    /// <summary>A WebSocket through the proxy's port to the one endpoint.</summary>
    private protected (RawPeer Client, RawPeer Server) Open(int port)
    {
        var (client, server, _) = Open(port, [Endpoint]);
        return (client, server);
    }

    /// <summary>A WebSocket through the proxy's port to whichever endpoint the proxy picks.</summary>
    /// <param name="from">The client's address; null: as the system picks.</param>
    private protected (RawPeer Client, RawPeer Server, Reached Reached) Open(int port, IReadOnlyList<Socket> endpoints, IPAddress? from = null, params string[] headers)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (from is not null)
            socket.Bind(new IPEndPoint(from, 0));
        socket.Connect(IPAddress.Loopback, port);
        var client = Keep(new RawPeer(socket));
        client.Send(Upgrades.Request("/ws", headers));
        var asked = endpoints.ToList();
        Socket.Select(asked, null, null, RawPeer.Patience);
        Assert.Single(asked);
        var server = Keep(RawPeer.Accept(asked[0]));
        server.AnswerUpgrade();
        var head = client.ReceiveHead();
        Assert.Equal(101, Upgrades.Status(head));
        return (client, server, new Reached(endpoints.ToList().IndexOf(asked[0]), head));
    }

    private protected static void AssertCarries((RawPeer Client, RawPeer Server) pair)
    {
        pair.Server.Send(Frames.FromServer(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), pair.Client.ReceiveFrame().Payload);
    }

    /// <summary>Sends the frame again and again until the returned value is disposed of or the connection ends.</summary>
    private protected static IAsyncDisposable Talking(RawPeer peer, byte[] frame) => new Talker(peer, frame);

    /// <summary>What ends a connection with unread input resets it.</summary>
    private protected static byte[] ReceiveToAnyEnd(RawPeer peer)
    {
        try
        {
            return peer.ReceiveToEnd();
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return [];
        }
    }

    private protected static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private RawPeer Keep(RawPeer peer)
    {
        _peers.Add(peer);
        return peer;
    }

    /// <param name="Endpoint">Its place in the list asked for.</param>
    /// <param name="Head">Of the response.</param>
    internal sealed record Reached(int Endpoint, string Head);

    private sealed class Talker : IAsyncDisposable
    {
        private readonly CancellationTokenSource _over = new();
        private readonly Task _talk;

        public Talker(RawPeer peer, byte[] frame) => _talk = Task.Run(() => TalkAsync(peer, frame));

        public async ValueTask DisposeAsync()
        {
            await _over.CancelAsync();
            await _talk;
            _over.Dispose();
        }

        private async Task TalkAsync(RawPeer peer, byte[] frame)
        {
            using var ticks = new PeriodicTimer(Talk);
            try
            {
                while (await ticks.WaitForNextTickAsync(_over.Token))
                    peer.Send(frame);
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // The test has seen enough, or the proxy has ended the connection.
            }
        }
    }
}
