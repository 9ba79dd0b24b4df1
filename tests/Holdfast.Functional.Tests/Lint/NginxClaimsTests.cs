using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Lint;

/// <summary>
/// What the lint rules say of nginx, shown on a real one with times scaled down: HF-N02 (silence in both directions ends a WebSocket), HF-N03
/// (proxy_send_timeout does nothing to an idle one), HF-N09 (a reload ends old connections, however busy).
/// </summary>
public sealed class NginxClaimsTests : IAsyncDisposable
{
    /// <summary>Far below proxy_read_timeout, so that a busy machine does not make a talking client look silent.</summary>
    private static readonly TimeSpan Talk = TimeSpan.FromMilliseconds(50);

    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-nginx-").FullName;
    private readonly Socket _endpoint = RawPeer.Listen();
    private readonly List<RawPeer> _peers = [];
    private ChildProcess? _nginx;

    public async ValueTask DisposeAsync()
    {
        _peers.ForEach(p => p.Dispose());
        _endpoint.Dispose();
        if (_nginx is not null)
        {
            _nginx.Terminate();
            await _nginx.Exited;
            await _nginx.DisposeAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Silence_in_both_directions_ends_a_WebSocket_and_nothing_less_does()
    {
        SkipWithoutNginx();
        var (reads, sends) = (Processes.FreePort(), Processes.FreePort());
        await StartAsync(Server(reads, "proxy_read_timeout 3s; proxy_send_timeout 60s;") + Server(sends, "proxy_read_timeout 60s; proxy_send_timeout 1s;"));
        var idleBehindSendTimeout = Open(sends);
        var talking = Open(reads);
        var silent = Open(reads);

        using var over = new CancellationTokenSource();
        var talker = Task.Run(() => TalkAsync(talking.Client, over.Token), TestContext.Current.CancellationToken);
        Assert.Empty(silent.Client.ReceiveToEnd());
        await over.CancelAsync();
        await talker;

        // The server never said a word on either of these, and both still carry.
        foreach (var (client, server) in ((RawPeer, RawPeer)[])[talking, idleBehindSendTimeout])
        {
            server.Send(Frames.FromServer(Frames.Text, "still here"u8));
            Assert.Equal("still here"u8.ToArray(), client.ReceiveFrame().Payload);
        }
    }

    [Fact]
    public async Task A_reload_ends_busy_WebSockets_after_worker_shutdown_timeout()
    {
        SkipWithoutNginx();
        var port = Processes.FreePort();
        await StartAsync(Server(port, "proxy_read_timeout 1h;"), "worker_shutdown_timeout 1s;");
        var old = Open(port);
        using var over = new CancellationTokenSource();
        var talker = Task.Run(() => TalkAsync(old.Client, over.Token), TestContext.Current.CancellationToken);

        using (var kill = Process.Start("kill", ["-HUP", (await File.ReadAllTextAsync(Path.Combine(_folder, "pid"))).Trim()]))
            await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Empty(ReceiveToAnyEnd(old.Client));
        await over.CancelAsync();
        await talker;

        var young = Open(port);
        young.Server.Send(Frames.FromServer(Frames.Text, "hello"u8));
        Assert.Equal("hello"u8.ToArray(), young.Client.ReceiveFrame().Payload);
    }

    private static void SkipWithoutNginx()
    {
        if (Requires.Tool("nginx") is { } reason)
            Assert.Skip(reason);
    }

    private static async Task TalkAsync(RawPeer client, CancellationToken over)
    {
        using var ticks = new PeriodicTimer(Talk);
        try
        {
            while (await ticks.WaitForNextTickAsync(over))
                client.Send(Frames.FromClient(Frames.Text, "x"u8));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The test has seen enough, or nginx has ended the connection.
        }
    }

    /// <summary>An old worker that ends with unread input resets.</summary>
    private static byte[] ReceiveToAnyEnd(RawPeer peer)
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

    private (RawPeer Client, RawPeer Server) Open(int port)
    {
        var client = RawPeer.Connect(new IPEndPoint(IPAddress.Loopback, port));
        _peers.Add(client);
        client.Send(Upgrades.Request());
        var server = RawPeer.Accept(_endpoint);
        _peers.Add(server);
        server.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        return (client, server);
    }

    private string Server(int port, string timeouts) => string.Create(CultureInfo.InvariantCulture, $$"""
        server {
          listen 127.0.0.1:{{port}};
          location / {
            proxy_pass http://127.0.0.1:{{((IPEndPoint)_endpoint.LocalEndPoint!).Port}};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            {{timeouts}}
          }
        }

        """);

    private async Task StartAsync(string servers, string main = "")
    {
        var file = Path.Combine(_folder, "nginx.conf");
        await File.WriteAllTextAsync(file, $$"""
            daemon off;
            pid {{_folder}}/pid;
            error_log stderr notice;
            worker_processes 1;
            {{main}}
            events { worker_connections 64; }
            http {
              access_log off;
              client_body_temp_path {{_folder}}/a; proxy_temp_path {{_folder}}/b; fastcgi_temp_path {{_folder}}/c; uwsgi_temp_path {{_folder}}/d; scgi_temp_path {{_folder}}/e;
              {{servers}}
            }
            """);
        var output = new Lines();
        _nginx = ChildProcess.Start(
            new ChildSpec(Requires.Find("nginx")!, ["-p", _folder, "-c", file], new Dictionary<string, string>(StringComparer.Ordinal)), output.Add, TimeProvider.System);
        await Processes.UntilAsync(() => _nginx.Exited.IsCompleted || output.All.Any(l => l.Contains("start worker process ", StringComparison.Ordinal)), "nginx started");
        Assert.False(_nginx.Exited.IsCompleted, string.Join('\n', output.All));
    }
}
