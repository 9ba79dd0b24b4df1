using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Lint;

/// <summary>
/// What the lint rules and guides rest on besides nginx, shown on a real HAProxy with times scaled down: which time-out ends an idle WebSocket, that
/// pings keep it, and what stickiness does and does not do (HF-S03: by client address behind a proxy).
/// </summary>
public sealed class HaproxyClaimsTests : ProxyClaims
{
    private static readonly byte[] Ping = Frames.FromClient(Frames.Ping, "?"u8);

    [Fact]
    public async Task Without_timeout_tunnel_the_time_for_a_response_cuts_an_idle_WebSocket()
    {
        SkipWithout("haproxy");
        var (bare, tunnelled) = (Processes.FreePort(), Processes.FreePort());
        const string Times = "timeout client 1h\n  timeout server 1s";
        await StartAsync(Listen(bare, Times) + Listen(tunnelled, Times + "\n  timeout tunnel 1h"));
        var longer = Open(tunnelled);
        var cut = Open(bare);

        // An end of the TCP connection and no close frame: the client sees 1006.
        Assert.Empty(cut.Client.ReceiveToEnd());
        AssertCarries(longer);
    }

    [Fact]
    public async Task With_timeout_tunnel_silence_in_both_directions_ends_a_WebSocket_and_a_ping_from_either_side_keeps_it()
    {
        SkipWithout("haproxy");
        var port = Processes.FreePort();
        await StartAsync(Listen(port, "timeout client 1h\n  timeout server 1h\n  timeout tunnel 3s"));
        var (pinging, pinged) = (Open(port), Open(port));
        var silent = Open(port);

        await using (Talking(pinging.Client, Ping))
        await using (Talking(pinged.Server, Frames.FromServer(Frames.Ping, "?"u8)))
            Assert.Empty(silent.Client.ReceiveToEnd());

        AssertCarries(pinging);
        pinged.Client.Send(Frames.FromClient(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), pinged.Server.ReceiveFrame().Payload);
    }

    [Fact]
    public async Task A_cookie_brings_a_reconnecting_client_back_and_least_connections_does_not()
    {
        SkipWithout("haproxy");
        var (sticky, free) = (Processes.FreePort(), Processes.FreePort());
        using var other = RawPeer.Listen();
        Socket[] endpoints = [Endpoint, other];
        await StartAsync(Listen(sticky, "timeout tunnel 1h\n  balance leastconn\n  cookie at insert indirect nocache", endpoints)
            + Listen(free, "timeout tunnel 1h\n  balance leastconn", endpoints));

        foreach (var port in (int[])[sticky, free])
        {
            var first = Open(port, endpoints);
            var cookies = Upgrades.Values(first.Reached.Head, "Set-Cookie");
            var left = Open(port, endpoints);
            Assert.NotEqual(first.Reached.Endpoint, left.Reached.Endpoint);
            List<(RawPeer Client, RawPeer Server, Reached Reached)> more = [Open(port, endpoints), Open(port, endpoints)];

            // The client's endpoint keeps one connection, the other none.
            foreach (var (client, server, _) in more.Where(m => m.Reached.Endpoint != first.Reached.Endpoint).Append(left).Append(first))
            {
                client.Dispose();
                server.Dispose();
            }

            await Processes.UntilAsync(() => Connections(port) == 1, "HAProxy saw the ends");
            var back = Open(port, endpoints, null, [.. cookies.Select(c => "Cookie: " + c.Split(';')[0])]);
            Assert.Equal(port == sticky, back.Reached.Endpoint == first.Reached.Endpoint);
            Assert.Equal(port == sticky ? 1 : 0, cookies.Count);
        }
    }

    [Fact]
    public async Task Stickiness_by_client_address_behind_a_proxy_sends_everybody_to_one_endpoint()
    {
        SkipWithout("haproxy");
        var (inner, outer) = (Processes.FreePort(), Processes.FreePort());
        using var other = RawPeer.Listen();
        Socket[] endpoints = [Endpoint, other];
        await StartAsync(Listen(inner, "timeout tunnel 1h\n  balance source", endpoints)
            + Listen(outer, "timeout tunnel 1h", Text($"  server inner 127.0.0.1:{inner}\n")));
        var clients = Enumerable.Range(1, 32).Select(n => new IPAddress([127, 0, 1, (byte)n])).ToList();

        int Reach(int port) => clients.Select(c => Open(port, endpoints, c).Reached.Endpoint).Distinct().Count();
        Assert.Equal(2, Reach(inner));
        Assert.Equal(1, Reach(outer));
    }

    private string Listen(int port, string settings, params Socket[] endpoints)
    {
        if (endpoints.Length == 0)
            endpoints = [Endpoint];
        return Listen(port, settings, string.Concat(endpoints.Select((e, n) => Text($"  server s{n} 127.0.0.1:{Port(e)} cookie s{n}\n"))));
    }

    private static string Listen(int port, string settings, string servers) => Text($"""
        listen p{port}
          bind 127.0.0.1:{port}
          {settings}
        {servers}

        """);

    /// <summary>As HAProxy counts them on this port.</summary>
    private int Connections(int port)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(Folder, "stats")));
        using var stream = new NetworkStream(socket);
        stream.Write("show stat\n"u8);
        using var reader = new StreamReader(stream);
        var row = reader.ReadToEnd().Split('\n').Single(l => l.StartsWith(Text($"p{port},BACKEND,"), StringComparison.Ordinal));
        return int.Parse(row.Split(',')[4], CultureInfo.InvariantCulture);
    }

    private int Starts() => Output.All.Count(l => l.Contains("Loading success", StringComparison.Ordinal));

    private async Task StartAsync(string listens, string global = "")
    {
        var file = Path.Combine(Folder, "haproxy.cfg");
        await File.WriteAllTextAsync(file, $$"""
            global
              stats socket {{Folder}}/stats
              {{global}}
            defaults
              mode http
              timeout connect 60s
              timeout client 60s
              timeout server 60s

            {{listens}}
            """);
        await StartAsync("haproxy", ["-W", "-p", Path.Combine(Folder, "pid"), "-f", file], () => Starts() == 1);
    }
}
