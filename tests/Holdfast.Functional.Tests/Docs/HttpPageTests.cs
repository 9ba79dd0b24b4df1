using System.Net;
using System.Net.Sockets;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Forwarding;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>The first configuration of docs/http.md, as it stands there but for the addresses.</summary>
public sealed class HttpPageTests : IAsyncDisposable
{
    private readonly Socket[] _endpoints = [RawPeer.Listen(), RawPeer.Listen()];
    private GatewayHost _gateway = null!;

    [Fact]
    public async Task The_api_has_a_time_out_events_have_none_and_a_client_stays_at_its_endpoint()
    {
        var configuration = await StartAsync();
        var api = configuration.Routes.Single(r => r.Timeouts.Request > TimeSpan.Zero);
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(2)), (api.Timeouts.Request, api.Timeouts.Connect));

        using var client = RawPeer.Connect(_gateway.Addresses[0]);
        client.Send("GET /api/room HTTP/1.1\r\nHost: chat.example.com\r\n\r\n");
        var which = await WhichAsync();
        using var first = RawPeer.Accept(_endpoints[which]);
        _ = first.ReceiveHead();
        first.Send(HttpPeers.Ok());
        var (head, _) = HttpPeers.Answer(client);
        var cookie = Upgrades.Value(head, "Set-Cookie")!.Split(';')[0];
        Assert.StartsWith("holdfast=", cookie, StringComparison.Ordinal);

        // The stream, and a WebSocket, go where the request went.
        client.Send($"GET /events HTTP/1.1\r\nHost: chat.example.com\r\nCookie: {cookie}\r\n\r\n");
        Assert.StartsWith("GET /events ", first.ReceiveHead(), StringComparison.Ordinal);
        first.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        Assert.Equal(200, Upgrades.Status(client.ReceiveHead()));
        using var socket = RawPeer.Connect(_gateway.Addresses[0]);
        socket.Send($"GET /ws HTTP/1.1\r\nHost: chat.example.com\r\nCookie: {cookie}\r\n{Upgrades.Lines}\r\n");
        using var second = RawPeer.Accept(_endpoints[which]);
        _ = second.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(socket.ReceiveHead()));
        Assert.Equal((1, 1), (_gateway.Runtime.Backends[0].Endpoints[which].Connections, _gateway.Runtime.Backends[0].Endpoints[which].Requests));
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        foreach (var listener in _endpoints)
            listener.Dispose();
    }

    private async Task<int> WhichAsync()
    {
        var which = -1;
        await Processes.UntilAsync(() => (which = Array.FindIndex(_endpoints, static l => l.Poll(0, SelectMode.SelectRead))) >= 0, "an endpoint was connected to");
        return which;
    }

    private async Task<GatewayConfiguration> StartAsync()
    {
        var block = CodeBlock.Read("docs/http.md").First(b => b.Language == "yaml");
        var read = ConfigurationReader.Read(block.Text, block.Page);
        Assert.True(read.Configuration is not null, string.Join('\n', read.Faults));
        var configuration = read.Configuration!;
        _gateway = await GatewayHost.StartAsync(
            configuration with
            {
                Admin = configuration.Admin with { Address = new IPEndPoint(IPAddress.Loopback, 0) },
                Listeners = [configuration.Listeners[0] with { Address = new IPEndPoint(IPAddress.Loopback, 0) }],
                Backends = [configuration.Backends[0] with { Endpoints = [.. _endpoints.Select(e => new EndpointAddress("127.0.0.1", ((IPEndPoint)e.LocalEndPoint!).Port))] }],
            },
            new GatewayHostOptions { Loops = 1, LogLevel = LogLevel.Error },
            TestContext.Current.CancellationToken);
        return configuration;
    }
}
