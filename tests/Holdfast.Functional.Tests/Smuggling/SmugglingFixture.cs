using System.Globalization;
using System.Net;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>One gateway process, plain and over TLS, and one recording endpoint for all placements.</summary>
public sealed class SmugglingFixture : IAsyncLifetime
{
    private readonly CertificateFolder _files = new();
    private int _sockets;

    internal RecordingEndpoint Endpoint { get; } = new();

    internal GatewayProcess Gateway { get; private set; } = null!;

    internal TestAuthority Authority { get; } = new();

    internal IPEndPoint TlsAddress { get; } = new(IPAddress.Loopback, Processes.FreePort());

    public async ValueTask InitializeAsync()
    {
        var (certificate, key) = _files.Write("test", Authority.Issue("test.example"));
        Gateway = await GatewayProcess.StartAsync(new GatewaySetup
        {
            Endpoints = [Endpoint.Port],
            Listeners = [string.Create(CultureInfo.InvariantCulture, $"name: tls, address: \"{TlsAddress}\", tls: {{certificates: [{{certificate: {certificate}, key: {key}}}], alpn: [h2, http/1.1]}}")],
        });
        _sockets = Gateway.Sockets();
    }

    /// <summary>The gateway is alive, has told of no error, and keeps no socket but for the endpoint's that wait for another request.</summary>
    internal async Task SettledAsync()
    {
        Gateway.CheckNeighbour();
        Assert.False(Gateway.Exited.IsCompleted);
        await Processes.UntilAsync(() => Gateway.Sockets() <= _sockets + Endpoint.Open, "the gateway had closed its sockets");
        var errors = Gateway.Output.All.Where(static l => l.Contains(" fail: ", StringComparison.Ordinal) || l.Contains(" crit: ", StringComparison.Ordinal) || l.Contains("Exception", StringComparison.Ordinal)).ToList();
        Assert.True(errors.Count == 0, $"the gateway told of {errors.Count} errors:\n{string.Join('\n', errors.Take(10))}");
    }

    public async ValueTask DisposeAsync()
    {
        if (Gateway is not null)
            await Gateway.DisposeAsync();
        await Endpoint.DisposeAsync();
        Authority.Dispose();
        _files.Dispose();
    }
}
