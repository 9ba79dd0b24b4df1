using System.Globalization;
using System.Net;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>What docs/behind-ingress-nginx.md says of time-outs, with nginx as its template configures it.</summary>
public sealed class BehindNginxTests
{
    [Fact]
    public async Task The_gateways_pings_keep_a_silent_client_open_through_a_shorter_time_out()
    {
        if (Requires.Tool("nginx") is { } missing)
            Assert.Skip(missing);
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Backend = "keepAlive: {pingInterval: 1s}" });
        await using var nginx = await Nginx.StartAsync(gateway.Address.Port, timeOut: "3s");
        using var client = RawPeer.Connect(nginx.Address);
        Assert.Equal(101, Upgrades.Status(client.Upgrade()));

        // Longer than the time-out by pings alone: the client says nothing but pongs.
        for (var i = 0; i < 6; i++)
        {
            var ping = client.ReceiveFrame();
            Assert.Equal(Frames.Ping, ping.Opcode);
            client.Send(Frames.FromClient(Frames.Pong, ping.Payload));
        }

        client.Send(Frames.FromClient(Frames.Text, "after"u8));
        ReceivedFrame answer;
        do
            answer = client.ReceiveFrame();
        while (answer.Opcode == Frames.Ping);
        Assert.Equal("after"u8.ToArray(), answer.Payload);
    }

    [Fact]
    public async Task Without_pings_the_time_out_cuts_a_silent_client()
    {
        if (Requires.Tool("nginx") is { } missing)
            Assert.Skip(missing);
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Backend = "keepAlive: {pingInterval: 0s}" });
        await using var nginx = await Nginx.StartAsync(gateway.Address.Port, timeOut: "1s");
        using var client = RawPeer.Connect(nginx.Address);
        Assert.Equal(101, Upgrades.Status(client.Upgrade()));

        // No close frame: that is how it looks to a client.
        Assert.Empty(client.ReceiveToEnd());
    }

    private sealed class Nginx : IAsyncDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-nginx-").FullName;
        private readonly Lines _output = new();
        private ChildProcess? _process;

        public IPEndPoint Address { get; } = new(IPAddress.Loopback, Processes.FreePort());

        public static async Task<Nginx> StartAsync(int upstream, string timeOut)
        {
            var nginx = new Nginx();
            try
            {
                var file = Path.Combine(nginx._folder, "nginx.conf");
                await File.WriteAllTextAsync(file, string.Create(CultureInfo.InvariantCulture, $$"""
                    daemon off;
                    master_process off;
                    pid {{nginx._folder}}/pid;
                    error_log stderr warn;
                    events {}
                    http {
                      access_log off;
                      client_body_temp_path {{nginx._folder}}/body;
                      proxy_temp_path {{nginx._folder}}/proxy;
                      fastcgi_temp_path {{nginx._folder}}/fastcgi;
                      uwsgi_temp_path {{nginx._folder}}/uwsgi;
                      scgi_temp_path {{nginx._folder}}/scgi;
                      map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
                      server {
                        listen {{nginx.Address}};
                        location / {
                          proxy_pass http://127.0.0.1:{{upstream}};
                          proxy_http_version 1.1;
                          proxy_set_header Host $host;
                          proxy_set_header Upgrade $http_upgrade;
                          proxy_set_header Connection $connection_upgrade;
                          proxy_read_timeout {{timeOut}};
                          proxy_send_timeout {{timeOut}};
                        }
                      }
                    }
                    """));
                nginx._process = ChildProcess.Start(
                    new ChildSpec(Requires.Find("nginx")!, ["-p", nginx._folder, "-c", file], new Dictionary<string, string>(StringComparer.Ordinal)),
                    nginx._output.Add,
                    TimeProvider.System);
                await Processes.UntilAsync(() => nginx._process.Exited.IsCompleted || Accepts(nginx.Address), "nginx listened");
                Assert.False(nginx._process.Exited.IsCompleted, string.Join('\n', nginx._output.All));
                return nginx;
            }
            catch
            {
                await nginx.DisposeAsync();
                throw;
            }
        }

        public async ValueTask DisposeAsync()
        {
            if (_process is not null)
                await _process.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }

        private static bool Accepts(IPEndPoint address)
        {
            try
            {
                RawPeer.Connect(address).Dispose();
                return true;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return false;
            }
        }
    }
}
