using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Limits;

/// <summary>limits.messageBytes and limits.messagesPerSecond, from the file to the Close frame, the access log and the metrics.</summary>
public sealed class MessageLimitTests : IAsyncLifetime
{
    private const string Limited = "limits: {messageBytes: 64KiB, messagesPerSecond: 50}";
    private readonly Socket _endpoints = RawPeer.Listen();
    private GatewayFixture _gateway = null!;

    [Fact]
    public async Task A_message_over_messageBytes_ends_its_connection_with_1009_and_no_other()
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        var whole = Frames.FromClient(Frames.Binary, new byte[65_536]);
        client.Send(whole);
        Assert.Equal(whole, endpoint.Receive(whole.Length));
        client.Send(Frames.FromClient(Frames.Binary, new byte[65_537]));
        await AssertEndAsync(client, endpoint, 1009, "message over 65536 bytes", "message_too_big", "message_bytes");
    }

    [Fact]
    public async Task More_messages_than_messagesPerSecond_end_their_connection_with_1008_and_no_other()
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        var message = Frames.FromClient(Frames.Text, "x"u8);
        // The burst, and what two seconds give back. The clock is the test's own.
        for (var second = 0; second < 3; second++)
        {
            for (var i = 0; i < 50; i++)
                client.Send(message);
            _ = endpoint.Receive(50 * message.Length);
            await _gateway.AdvanceAsync(TimeSpan.FromSeconds(second < 2 ? 1 : 0));
        }

        client.Send(message);
        await AssertEndAsync(client, endpoint, 1008, "more than 50 messages per second", "message_rate", "messages_per_second");
    }

    [Fact]
    public async Task Limits_that_come_or_go_are_for_new_connections()
    {
        var setup = new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port] };
        var (limited, first) = _gateway.Open(_endpoints);
        await _gateway.ApplyAsync(setup);
        var (free, second) = _gateway.Open(_endpoints);
        await _gateway.ApplyAsync(setup with { Backend = "limits: {messageBytes: 1}" });
        var long1 = Frames.FromClient(Frames.Binary, new byte[65_537]);
        free.Send(long1);
        Assert.Equal(long1, second.Receive(long1.Length));
        limited.Send(long1);
        await AssertEndAsync(limited, first, 1009, "message over 65536 bytes", "message_too_big", "message_bytes", others: 1);
        free.Dispose();
        second.Dispose();
        await _gateway.SettledAsync();
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(
        new GatewaySetup { Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port], Backend = Limited }, manualTime: true);

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _endpoints.Dispose();
    }

    private async Task AssertEndAsync(RawPeer client, RawPeer endpoint, int code, string text, string reason, string limit, int others = 0)
    {
        var close = client.ReceiveFrame();
        Assert.Equal((Frames.Close, code, text), (close.Opcode, close.CloseCode, Encoding.ASCII.GetString(close.Payload.AsSpan(2))));
        Assert.Empty(client.ReceiveToEnd());
        close = endpoint.ReceiveFrame();
        Assert.Equal((Frames.Close, 1001), (close.Opcode, close.CloseCode));
        Assert.Empty(endpoint.ReceiveToEnd());
        var port = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;
        client.Dispose();
        endpoint.Dispose();
        var line = await _gateway.Log.OfAsync(port);
        Assert.Equal((reason, "downstream", code), (line.GetProperty("reason").GetString(), line.GetProperty("side").GetString(), line.GetProperty("closeCode").GetInt32()));
        Assert.Equal(1, await _gateway.MetricAsync("holdfast_connection_ends_total", $"reason=\"{reason}\"", "backend=\"test\""));
        Assert.Equal(1, await _gateway.MetricAsync("holdfast_limit_refusals_total", $"limit=\"{limit}\"", "backend=\"test\""));
        if (others == 0)
            await _gateway.SettledAsync();
        else
            _gateway.CheckNeighbour();
    }
}
