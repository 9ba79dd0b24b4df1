using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Admission;

/// <summary>A real nginx or HAProxy on loopback in front of a gateway's listener.</summary>
internal sealed class FrontProxy : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-front-").FullName;
    private readonly Lines _output = new();
    private ChildProcess? _process;

    private FrontProxy()
    {
    }

    public string Folder => _folder;

    public IPEndPoint Address { get; } = new(IPAddress.Loopback, Processes.FreePort());

    /// <param name="header">The forwarding header, as nginx sets it: <c>X-Forwarded-For $proxy_add_x_forwarded_for</c>.</param>
    public static Task<FrontProxy> StartNginxAsync(IPEndPoint gateway, string header) => StartAsync(
        "nginx",
        proxy => ["-p", proxy._folder, "-c", Path.Combine(proxy._folder, "front.conf")],
        proxy => $$"""
            daemon off;
            master_process off;
            pid {{proxy._folder}}/pid;
            error_log stderr warn;
            events {}
            http {
              access_log off;
              client_body_temp_path {{proxy._folder}}/body;
              proxy_temp_path {{proxy._folder}}/proxy;
              fastcgi_temp_path {{proxy._folder}}/fastcgi;
              uwsgi_temp_path {{proxy._folder}}/uwsgi;
              scgi_temp_path {{proxy._folder}}/scgi;
              map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
              server {
                listen {{proxy.Address}};
                location / {
                  proxy_pass http://{{gateway}};
                  proxy_http_version 1.1;
                  proxy_set_header Host $host;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection $connection_upgrade;
                  proxy_set_header {{header}};
                }
              }
            }
            """);

    /// <param name="mode">tcp or http.</param>
    /// <param name="server">Options of the server line: <c>send-proxy-v2</c>.</param>
    /// <param name="more">More lines of the listen section.</param>
    public static Task<FrontProxy> StartHaproxyAsync(IPEndPoint gateway, string mode, string server, string more = "") => StartAsync(
        "haproxy",
        proxy => ["-db", "-f", Path.Combine(proxy._folder, "front.conf")],
        proxy => $"""
            defaults
              mode {mode}
              timeout connect 60s
              timeout client 60s
              timeout server 60s
              timeout tunnel 60s
            listen front
              bind {proxy.Address}
              {more}
              server gateway {gateway} {server}

            """);

    /// <summary>A client of it that comes from an address of its own.</summary>
    public RawPeer Connect(string from) => ConnectFrom(from, Address);

    public static RawPeer ConnectFrom(string from, IPEndPoint address)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        socket.Connect(address);
        return new RawPeer(socket);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    internal static async Task<FrontProxy> StartAsync(string tool, Func<FrontProxy, string[]> arguments, Func<FrontProxy, FormattableString> configuration)
    {
        if (Requires.Tool(tool) is { } missing)
            Assert.Skip(missing);
        var proxy = new FrontProxy();
        try
        {
            await File.WriteAllTextAsync(Path.Combine(proxy._folder, "front.conf"), configuration(proxy).ToString(CultureInfo.InvariantCulture));
            proxy._process = ChildProcess.Start(
                new ChildSpec(Requires.Find(tool)!, arguments(proxy), new Dictionary<string, string>(StringComparer.Ordinal)), proxy._output.Add, TimeProvider.System);
            await Processes.UntilAsync(() => proxy._process.Exited.IsCompleted || Accepts(proxy.Address), tool + " listened");
            Assert.False(proxy._process.Exited.IsCompleted, string.Join('\n', proxy._output.All));
            return proxy;
        }
        catch
        {
            await proxy.DisposeAsync();
            throw;
        }
    }

    private static bool Accepts(IPEndPoint address)
    {
        try
        {
            RawPeer.Connect(address).Dispose();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
