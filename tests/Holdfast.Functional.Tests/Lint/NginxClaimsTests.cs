using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Lint;

/// <summary>
/// What the lint rules say of nginx, shown on a real one with times scaled down: HF-N02 (silence in both directions ends a WebSocket), HF-N03
/// (proxy_send_timeout does nothing to an idle one), HF-N09 (a reload ends old connections, however busy).
/// </summary>
public sealed class NginxClaimsTests : ProxyClaims
{
    private static readonly byte[] Word = Frames.FromClient(Frames.Text, "x"u8);

    [Fact]
    public async Task Silence_in_both_directions_ends_a_WebSocket_and_nothing_less_does()
    {
        SkipWithout("nginx");
        var (reads, sends) = (Processes.FreePort(), Processes.FreePort());
        await StartAsync(Server(reads, "proxy_read_timeout 3s; proxy_send_timeout 60s;") + Server(sends, "proxy_read_timeout 60s; proxy_send_timeout 1s;"));
        var idleBehindSendTimeout = Open(sends);
        var talking = Open(reads);
        var silent = Open(reads);

        await using (Talking(talking.Client, Word))
            Assert.Empty(silent.Client.ReceiveToEnd());

        // The server never said a word on either of these, and both still carry.
        AssertCarries(talking);
        AssertCarries(idleBehindSendTimeout);
    }

    [Fact]
    public async Task A_reload_ends_busy_WebSockets_after_worker_shutdown_timeout()
    {
        SkipWithout("nginx");
        var port = Processes.FreePort();
        await StartAsync(Server(port, "proxy_read_timeout 1h;"), "worker_shutdown_timeout 1s;");
        var old = Open(port);
        await using (Talking(old.Client, Word))
        {
            await SignalAsync("HUP");
            Assert.Empty(ReceiveToAnyEnd(old.Client));
        }

        AssertCarries(Open(port));
    }

    private string Server(int port, string timeouts) => Text($$"""
        server {
          listen 127.0.0.1:{{port}};
          location / {
            proxy_pass http://127.0.0.1:{{Port(Endpoint)}};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            {{timeouts}}
          }
        }

        """);

    private async Task StartAsync(string servers, string main = "")
    {
        var file = Path.Combine(Folder, "nginx.conf");
        await File.WriteAllTextAsync(file, $$"""
            daemon off;
            pid {{Folder}}/pid;
            error_log stderr notice;
            worker_processes 1;
            {{main}}
            events { worker_connections 64; }
            http {
              access_log off;
              client_body_temp_path {{Folder}}/a; proxy_temp_path {{Folder}}/b; fastcgi_temp_path {{Folder}}/c; uwsgi_temp_path {{Folder}}/d; scgi_temp_path {{Folder}}/e;
              {{servers}}
            }
            """);
        await StartAsync("nginx", ["-p", Folder, "-c", file], () => Output.All.Any(l => l.Contains("start worker process ", StringComparison.Ordinal)));
    }
}
