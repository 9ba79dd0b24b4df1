using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>What peers do wrong once the 101 has passed: close codes, end reasons, and the other leg's view.</summary>
public sealed class FrameFaultTests : IAsyncLifetime
{
    private readonly Socket _endpoints = RawPeer.Listen();
    private GatewayFixture _gateway = null!;

    public static TheoryData<string, byte[]> BadFromClient { get; } = new()
    {
        { "unmasked text", Frames.FromServer(Frames.Text, "hello"u8) },
        { "unmasked ping", Frames.FromServer(Frames.Ping, default) },
        { "RSV1", [0xC1, 0x80, 1, 2, 3, 4] },
        { "RSV2", [0xA1, 0x80, 1, 2, 3, 4] },
        { "RSV3", [0x91, 0x80, 1, 2, 3, 4] },
        { "opcode 3", [0x83, 0x80, 1, 2, 3, 4] },
        { "opcode 7", [0x87, 0x80, 1, 2, 3, 4] },
        { "opcode 11", [0x8B, 0x80, 1, 2, 3, 4] },
        { "opcode 15", [0x8F, 0x80, 1, 2, 3, 4] },
        { "ping of 126 bytes", Frames.FromClient(Frames.Ping, new byte[126]) },
        { "close of 126 bytes", Frames.FromClient(Frames.Close, new byte[126]) },
        { "fragmented ping", Frames.FromClient(Frames.Ping, default, fin: false) },
        { "64-bit length with the top bit", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4] },
        { "16-bit length for 5 bytes", [0x82, 0xFE, 0, 5, 1, 2, 3, 4, 0, 0, 0, 0, 0] },
        { "64-bit length for 65535 bytes", [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4] },
        { "continuation of nothing", Frames.FromClient(Frames.Continuation, "x"u8) },
        { "text inside a message", [.. Frames.FromClient(Frames.Text, "x"u8, fin: false), .. Frames.FromClient(Frames.Text, "y"u8)] },
    };

    public static TheoryData<string, byte[]> BadFromEndpoint { get; } = new()
    {
        { "masked text", Frames.FromClient(Frames.Text, "hello"u8) },
        { "RSV1", [0xC1, 0] },
        { "opcode 4", [0x84, 0] },
        { "opcode 12", [0x8C, 0] },
        { "pong of 126 bytes", Frames.FromServer(Frames.Pong, new byte[126]) },
        { "fragmented close", Frames.FromServer(Frames.Close, default, fin: false) },
        { "64-bit length with the top bit", [0x82, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] },
        { "continuation of nothing", Frames.FromServer(Frames.Continuation, "x"u8) },
        { "close of one byte", Frames.FromServer(Frames.Close, "x"u8) },
        { "close with code 1005", Frames.CloseFrame(client: false, 1005) },
        { "close with code 999", Frames.CloseFrame(client: false, 999) },
        { "close with a reason not in UTF-8", [0x88, 4, 0x03, 0xE8, 0xFF, 0xFE] },
    };

    [Theory]
    [MemberData(nameof(BadFromClient))]
    public async Task A_client_that_breaks_the_protocol_is_told_1002(string what, byte[] bytes)
    {
        Assert.NotEmpty(what);
        var (client, endpoint) = _gateway.Open(_endpoints);
        using var both = new Both(client, endpoint);
        client.Send(Frames.FromClient(Frames.Binary, "good"u8));
        client.Send(bytes);

        Assert.Equal((Frames.Close, 1002), Code(client.ReceiveFrame()));
        Assert.Equal("good"u8.ToArray(), endpoint.ReceiveFrame().Payload);
        ReceivedFrame frame;
        do
            frame = endpoint.ReceiveFrame();        // What was whole and right before the fault has passed.
        while (frame.Opcode != Frames.Close);
        Assert.Equal(1001, frame.CloseCode);
        await AssertEndAsync(both, "downstream_protocol_error", "downstream");
    }

    [Theory]
    [MemberData(nameof(BadFromEndpoint))]
    public async Task An_endpoint_that_breaks_the_protocol_is_told_1002_and_the_client_1011(string what, byte[] bytes)
    {
        Assert.NotEmpty(what);
        var (client, endpoint) = _gateway.Open(_endpoints);
        using var both = new Both(client, endpoint);
        endpoint.Send(Frames.FromServer(Frames.Binary, "good"u8));
        endpoint.Send(bytes);

        Assert.Equal("good"u8.ToArray(), client.ReceiveFrame().Payload);
        Assert.Equal((Frames.Close, 1011), Code(client.ReceiveFrame()));
        Assert.Equal((Frames.Close, 1002), Code(endpoint.ReceiveFrame()));
        await AssertEndAsync(both, "upstream_protocol_error", "upstream");
    }

    [Fact]
    public async Task Frames_cut_at_every_byte_pass_whole_and_a_client_that_leaves_inside_one_ends_the_pair()
    {
        byte[][] frames = [Frames.FromClient(Frames.Text, "cut"u8), Frames.FromClient(Frames.Binary, new byte[300]), Frames.FromClient(Frames.Ping, "p"u8)];
        var all = frames.SelectMany(f => f).ToArray();
        foreach (var at in Enumerable.Range(1, 40).Concat([all.Length - 8, all.Length - 7, all.Length - 1]))
        {
            var (client, endpoint) = _gateway.Open(_endpoints);
            using var both = new Both(client, endpoint);
            client.Send(all.AsSpan(0, at));
            await _gateway.TurnAsync();
            client.Send(all.AsSpan(at));
            Assert.Equal(all, endpoint.Receive(all.Length));

            var part = frames[1].AsSpan(0, Math.Min(at, frames[1].Length - 1)).ToArray();
            client.Send(part);
            client.Finish();
            var seen = ToEndOrReset(endpoint);
            Assert.True(part.AsSpan().StartsWith(seen), "the endpoint saw bytes nobody sent");
            endpoint.Dispose();
            await AssertEndAsync(both, "downstream_eof", "downstream");
        }
    }

    [Theory]
    [InlineData(false, "upstream_eof")]
    [InlineData(true, "upstream_reset")]
    public async Task An_endpoint_that_dies_between_frames_is_1012_to_the_client(bool reset, string reason)
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        using var both = new Both(client, endpoint);
        endpoint.Send(Frames.FromServer(Frames.Text, "last"u8));
        Assert.Equal("last"u8.ToArray(), client.ReceiveFrame().Payload);
        Leave(endpoint, reset);

        Assert.Equal((Frames.Close, 1012), Code(client.ReceiveFrame()));
        await AssertEndAsync(both, reason, "upstream");
    }

    [Theory]
    [InlineData(false, "upstream_eof")]
    [InlineData(true, "upstream_reset")]
    public async Task An_endpoint_that_dies_inside_a_frame_aborts_the_client_which_never_sees_a_forged_frame(bool reset, string reason)
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        using var both = new Both(client, endpoint);
        var frame = Frames.FromServer(Frames.Text, new byte[1000]);
        endpoint.Send(frame.AsSpan(0, 500));
        Assert.Equal(frame[..500], client.Receive(500));
        Leave(endpoint, reset);

        Assert.Empty(client.ReceiveToReset());
        await AssertEndAsync(both, reason, "upstream");
    }

    [Fact]
    public async Task A_client_that_resets_ends_the_pair_as_reset()
    {
        var (client, endpoint) = _gateway.Open(_endpoints);
        using var both = new Both(client, endpoint);
        client.Reset();

        Assert.Empty(ToEndOrReset(endpoint));
        await AssertEndAsync(both, "downstream_reset", "downstream");
    }

    [Theory]
    [InlineData(0, "")]
    [InlineData(1000, "bye")]
    [InlineData(1001, "")]
    [InlineData(1008, "policy")]
    [InlineData(3000, "registered")]
    [InlineData(4999, "r\u00e9ason \ud83d\udc4d")]
    public async Task Closes_pass_unchanged_from_either_side_and_are_named(int code, string reason)
    {
        foreach (var fromClient in (bool[])[true, false])
        {
            var (client, endpoint) = _gateway.Open(_endpoints);
            using var both = new Both(client, endpoint);
            var (first, second) = fromClient ? (client, endpoint) : (endpoint, client);
            var payload = Frames.ClosePayload(code, System.Text.Encoding.UTF8.GetBytes(reason));
            first.Send(Frames.CloseFrame(fromClient, code, reason));
            var seen = second.ReceiveFrame();
            Assert.Equal((Frames.Close, fromClient), (seen.Opcode, seen.Masked));
            Assert.Equal(payload, seen.Payload);
            second.Send(Frames.CloseFrame(!fromClient, code));
            Assert.Equal(code, first.ReceiveFrame().CloseCode);
            var line = await AssertEndAsync(both, fromClient ? "downstream_close" : "upstream_close", fromClient ? "downstream" : "upstream");
            Assert.Equal(code, line.GetProperty("closeCode").GetInt32());
        }
    }

    [Fact]
    public async Task An_endpoint_that_stops_reading_holds_its_client_back_and_loses_nothing()
    {
        const int Size = 64 * 1024, Count = 400;
        var (client, endpoint) = _gateway.Open(_endpoints);
        using var both = new Both(client, endpoint);
        var frame = Frames.FromClient(Frames.Binary, new byte[Size]);
        var sending = Task.Run(() =>
        {
            for (var i = 0; i < Count; i++)
                client.Send(frame);
        }, TestContext.Current.CancellationToken);
        // Until the client is really held back: its socket takes no more.
        await Dev.Processes.UntilAsync(() => sending.IsCompleted || !client.Socket.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectWrite), "the client was held back");
        Assert.False(sending.IsCompleted, "25 MB vanished into buffers");
        _gateway.CheckNeighbour();

        var received = new byte[frame.Length];
        for (var i = 0; i < Count; i++)
        {
            endpoint.ReceiveInto(received);
            Assert.True(frame.AsSpan().SequenceEqual(received), "a frame was changed");
        }

        await sending;
        client.Send(Frames.CloseFrame(client: true, 1000));
        Assert.Equal(1000, endpoint.ReceiveFrame().CloseCode);
        endpoint.Send(Frames.CloseFrame(client: false, 1000));
        await AssertEndAsync(both, "downstream_close", "downstream");
    }

    public async ValueTask InitializeAsync() => _gateway = await GatewayFixture.StartAsync(new GatewaySetup
    {
        Endpoints = [((IPEndPoint)_endpoints.LocalEndPoint!).Port],
        Backend = "slowStart: 0s, keepAlive: {pingInterval: 0s}",
    });

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        _endpoints.Dispose();
    }

    private async Task<JsonElement> AssertEndAsync(Both both, string reason, string side)
    {
        both.Dispose();
        var line = await _gateway.Log.OfAsync(both.ClientPort);
        Assert.Equal(("connection", reason, side, "/ws"), (
            line.GetProperty("event").GetString(), line.GetProperty("reason").GetString(), line.GetProperty("side").GetString(), line.GetProperty("path").GetString()));
        Assert.True(await _gateway.MetricAsync("holdfast_connection_ends_total", $"reason=\"{reason}\"", $"side=\"{side}\"", "backend=\"test\"") >= 1);
        await _gateway.SettledAsync();
        return line;
    }

    private static (int Opcode, int Code) Code(ReceivedFrame frame) => (frame.Opcode, frame.CloseCode);

    private static void Leave(RawPeer peer, bool reset)
    {
        if (reset)
            peer.Reset();
        else
            peer.Dispose();
    }

    private static byte[] ToEndOrReset(RawPeer peer)
    {
        using var all = new MemoryStream();
        var buffer = new byte[4096];
        try
        {
            for (int n; (n = peer.Socket.Receive(buffer)) > 0;)
                all.Write(buffer, 0, n);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // A frame that can never be finished ends so.
        }

        return all.ToArray();
    }

    private sealed class Both(RawPeer client, RawPeer endpoint) : IDisposable
    {
        public int ClientPort { get; } = ((IPEndPoint)client.Socket.LocalEndPoint!).Port;

        public void Dispose()
        {
            client.Dispose();
            endpoint.Dispose();
        }
    }
}
