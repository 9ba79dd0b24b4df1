using System.Globalization;
using System.Net;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Discovery;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Discovery;

/// <summary>Discovery with a name server of the field's, Debian's dnsmasq, whose hosts file changes while it runs.</summary>
public sealed class DnsmasqTests : IAsyncLifetime
{
    private const string Name = "chat.default.svc.cluster.local";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("holdfast-test-");
    private readonly EchoEndpoint[] _pods = EchoEndpoint.OnOnePort("127.0.0.1", "127.0.0.2", "::1");
    private readonly int _port = Processes.FreePort();
    private ChildProcess? _dnsmasq;

    [Fact]
    public async Task A_headless_services_addresses_are_followed()
    {
        if (Requires.Tool("dnsmasq") is { } missing)
            Assert.Skip(missing);
        Serve("127.0.0.1", "::1");
        await StartDnsmasqAsync();
        await using var gateway = await StartGatewayAsync();
        var clients = new List<RawPeer>();
        await EndpointsAsync("127.0.0.1", "::1");
        Open(2);
        Assert.Equal([1, 0, 1], _pods.Select(p => p.Connections));

        Serve("127.0.0.1", "127.0.0.2");
        Reload();
        await EndpointsAsync("127.0.0.1", "127.0.0.2");
        Open(1);
        Assert.Equal([1, 1, 1], _pods.Select(p => p.Connections));

        // The name is gone altogether, then the name server itself is: neither says where the application is.
        Serve();
        Reload();
        await OutcomeAsync("nxdomain");
        Open(2);
        Assert.Equal([2, 2, 1], _pods.Select(p => p.Connections));
        await _dnsmasq!.DisposeAsync();
        await OutcomeAsync("unreachable");
        Open(2);
        Assert.Equal([3, 3, 1], _pods.Select(p => p.Connections));

        Serve("127.0.0.2");
        await StartDnsmasqAsync();
        await EndpointsAsync("127.0.0.2");
        Open(2);
        Assert.Equal([3, 5, 1], _pods.Select(p => p.Connections));
        foreach (var client in clients)
        {
            client.Send(Frames.FromClient(Frames.Ping, "there"u8));
            Assert.Equal(Frames.Pong, client.ReceiveFrame().Opcode);
            client.Dispose();
        }

        await gateway.SettledAsync();

        void Open(int connections)
        {
            for (var i = 0; i < connections; i++)
            {
                clients.Add(gateway.Connect());
                Assert.Equal(101, Upgrades.Status(clients[^1].Upgrade("/chat")));
            }
        }

        Task EndpointsAsync(params string[] addresses)
        {
            var expected = addresses.Select(a => new IPEndPoint(IPAddress.Parse(a), _pods[0].Port).ToString()).Order().ToArray();
            return Processes.UntilAsync(() => Backend(gateway).Endpoints.ToArray().Select(e => e.ToString()).Order().SequenceEqual(expected), "the endpoints were " + string.Join(' ', expected));
        }

        Task OutcomeAsync(string outcome) => Processes.UntilAsync(
            () => Backend(gateway).Discovery?.LastOutcome.ToString()?.ToLowerInvariant() == outcome, "the last look-up was " + outcome);
    }

    [Fact]
    public async Task Answers_beyond_a_datagram_come_over_TCP()
    {
        if (Requires.Tool("dnsmasq") is { } missing)
            Assert.Skip(missing);
        string[] addresses = [.. Enumerable.Range(1, 250).Select(i => $"127.1.0.{i}")];
        Serve(addresses);
        await StartDnsmasqAsync();
        await using var gateway = await StartGatewayAsync();
        await Processes.UntilAsync(() => Backend(gateway).Endpoints.Length == addresses.Length, "all addresses were endpoints");
        Assert.Equal(addresses.Order(), Backend(gateway).Endpoints.ToArray().Select(e => e.Address.Host).Order());
        Assert.Equal(LookupOutcome.Good, Backend(gateway).Discovery!.LastOutcome);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_dnsmasq is not null)
            await _dnsmasq.DisposeAsync();
        Array.ForEach(_pods, p => p.Dispose());
        _folder.Delete(recursive: true);
    }

    private string Hosts => Path.Combine(_folder.FullName, "hosts");

    private static Holdfast.Gateway.LoadBalancing.BackendState Backend(GatewayFixture gateway) => gateway.Host.Runtime.Backends.Single(b => b.Name == "chat");

    private void Serve(params string[] addresses) => File.WriteAllLines(Hosts, addresses.Select(a => $"{a} {Name}"));

    private void Reload() => GatewayProcess.Send(_dnsmasq!.Id, "HUP");

    private async Task StartDnsmasqAsync()
    {
        var lines = new Lines();
        _dnsmasq = ChildProcess.Start(
            new ChildSpec(
                Requires.Find("dnsmasq")!,
                [
                    "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--log-facility=-", "--user=" + Environment.UserName,
                    string.Create(CultureInfo.InvariantCulture, $"--port={_port}"), "--listen-address=127.0.0.1", "--bind-interfaces",
                    "--no-resolv", "--no-hosts", "--addn-hosts=" + Hosts, "--local=/cluster.local/",
                ],
                new Dictionary<string, string>(StringComparer.Ordinal)),
            lines.Add,
            TimeProvider.System);
        _ = await lines.FirstAsync(l => l.Contains("read " + Hosts, StringComparison.Ordinal));
    }

    private Task<GatewayFixture> StartGatewayAsync()
    {
        var conf = Path.Combine(_folder.FullName, "resolv.conf");
        File.WriteAllText(conf, "search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n");
        return GatewayFixture.StartAsync(new GatewaySetup
        {
            Backends = [string.Create(CultureInfo.InvariantCulture, $"chat: {{dns: {{name: chat.default.svc, port: {_pods[0].Port}, interval: 100ms, grace: 300s}}, slowStart: 0s}}")],
            Routes = ["path: {prefix: /chat}, backend: chat"],
            Names = new ResolverSources { ResolvConf = conf, Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, _port)] },
        });
    }
}
