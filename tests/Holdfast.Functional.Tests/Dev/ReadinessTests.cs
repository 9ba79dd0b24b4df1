using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

public sealed class ReadinessTests
{
    [Fact]
    public async Task A_port_is_ready_when_it_accepts()
    {
        var port = Processes.FreePort();
        var check = new PortReadiness(port);
        Assert.False(await check.IsReadyAsync(CancellationToken.None));

        using var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();

        Assert.True(await check.IsReadyAsync(CancellationToken.None));
        Assert.False(FreePorts.IsFree(IPAddress.Loopback, port));
    }

    [Theory]
    [InlineData("200 OK", true)]
    [InlineData("204 No Content", true)]
    [InlineData("302 Found", false)]
    [InlineData("503 Service Unavailable", false)]
    public async Task A_health_path_is_ready_with_2xx_only(string status, bool ready)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false });
        var check = new HttpReadiness(http, new Uri($"http://{listener.LocalEndpoint}/ready?x=1"));

        var asking = check.IsReadyAsync(CancellationToken.None);
        using (var client = await listener.AcceptTcpClientAsync())
        {
            var stream = client.GetStream();
            using var reader = new StreamReader(stream, leaveOpen: true);
            Assert.Equal("GET /ready?x=1 HTTP/1.1", await reader.ReadLineAsync());
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n"));
        }

        Assert.Equal(ready, await asking);
    }

    [Fact]
    public async Task A_health_path_of_nobody_is_not_ready()
    {
        using var http = new HttpClient();
        Assert.False(await new HttpReadiness(http, new Uri($"http://127.0.0.1:{Processes.FreePort()}/")).IsReadyAsync(CancellationToken.None));
    }

    [Fact]
    public void Free_ports_are_different_and_not_taken_by_outgoing_connections()
    {
        var ports = FreePorts.Pick(20, new Random(1));
        Assert.Equal(20, ports.Distinct().Count());
        var ephemeral = int.Parse(File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t')[0], null);
        Assert.All(ports, p => Assert.InRange(p, 1024, ephemeral - 1));
    }
}
