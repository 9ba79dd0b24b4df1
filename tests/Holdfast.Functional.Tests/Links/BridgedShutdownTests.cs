using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Holding;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Links;

/// <summary>What becomes of connections that Kestrel holds when the gateway leaves, and when an endpoint does.</summary>
public sealed class BridgedShutdownTests : IDisposable
{
    private readonly Socket _endpoints = RawPeer.Listen();
    private readonly KeptAlive _kept = new();

    [Fact]
    public async Task When_the_gateway_leaves_plain_answers_come_whole_and_end_their_connection_and_WebSockets_are_told_1012()
    {
        await using var gateway = await GatewayFixture.StartAsync(Setup() with { Shutdown = "delay: 0s, duration: 30s" });
        using var plain = KeptAlive.Connect(gateway);
        plain.Send("GET /slow HTTP/1.1\r\nHost: test.example\r\n\r\n");
        using var slow = RawPeer.Accept(_endpoints);
        _ = slow.ReceiveHead();
        slow.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
        Assert.DoesNotContain("Connection: close", plain.ReceiveHead(), StringComparison.Ordinal);
        using var later = KeptAlive.Connect(gateway);
        using var client = KeptAlive.Connect(gateway);
        client.Send(Upgrades.Request());
        using var endpoint = RawPeer.Accept(_endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));

        var stopping = gateway.Host.StopAsync(atOnce: false);
        later.Send("GET /first HTTP/1.1\r\nHost: test.example\r\n\r\n");
        var head = later.ReceiveHead();
        Assert.Equal((200, "close"), (Upgrades.Status(head), Upgrades.Value(head, "Connection")));
        Assert.Equal("hi"u8.ToArray(), later.ReceiveToEnd());
        Assert.False(stopping.IsCompleted);
        slow.Send("lo");
        Assert.Equal("hello"u8.ToArray(), plain.Receive(5));

        _ = gateway.Host.StopAsync(atOnce: true);
        var close = client.ReceiveFrame();
        Assert.Equal((Frames.Close, 1012), (close.Opcode, close.CloseCode));
        Assert.StartsWith("retry", System.Text.Encoding.UTF8.GetString(close.Payload.AsSpan(2)), StringComparison.Ordinal);
        client.Send(Frames.FromClient(Frames.Close, close.Payload));
        Assert.Empty(client.ReceiveToEnd());
        Assert.Equal(1001, endpoint.ReceiveFrame().CloseCode);
        endpoint.Dispose();
        await stopping;
        Assert.Equal("shutdown", (await KeptAlive.EndOfAsync(gateway, client)).GetProperty("reason").GetString());
    }

    [Fact]
    public async Task A_held_client_behind_a_bridge_is_moved_and_loses_nothing()
    {
        using var second = RawPeer.Listen();
        var setup = Setup("drain: {duration: 0s}, keepAlive: {pingInterval: 0s}, hold: {protocol: opaque, quiet: 50ms, fence: 60s}");
        await using var gateway = await GatewayFixture.StartAsync(setup);
        using var client = KeptAlive.Connect(gateway);
        client.Send(Upgrades.Request());
        using var first = RawPeer.Accept(_endpoints);
        _ = first.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(client.ReceiveHead()));
        client.Say("one");
        first.Hears("one");
        await gateway.ApplyAsync(setup with { Endpoints = [((IPEndPoint)second.LocalEndPoint!).Port] });
        var fence = first.NextPing();
        client.Say("two");
        first.Tell("answer to one");
        client.Hears("answer to one");
        first.Pong(fence);
        Assert.Equal(1001, first.UntilClose());
        first.Send(Frames.CloseFrame(client: false, 1001));
        first.Finish();

        using var other = RawPeer.Accept(second);
        var head = other.AnswerUpgrade();
        Assert.Equal("1", Upgrades.Value(head, "Holdfast-Rehomed"));
        Assert.Equal("two", other.NextText());
        other.Tell("welcome back");
        client.Hears("welcome back");
        client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, other.UntilClose());
        other.Send(Frames.CloseFrame(client: false, 1000));
        Assert.Equal(1000, client.ReceiveFrame().CloseCode);
        Assert.Empty(client.ReceiveToEnd());
        other.Dispose();
        var line = await KeptAlive.EndOfAsync(gateway, client);
        Assert.Equal((1, "downstream_close"), (line.GetProperty("rehomes").GetInt32(), line.GetProperty("reason").GetString()));
        Assert.Equal(0, await gateway.MetricAsync("holdfast_rehome_unknown_messages_total"));
    }

    public void Dispose()
    {
        _kept.Dispose();
        _endpoints.Dispose();
    }

    private GatewaySetup Setup(string backend = "slowStart: 0s") => _kept.In(new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port], Backend = backend });
}
