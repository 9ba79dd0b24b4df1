using System.Globalization;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>The endpoint's own answer reaches the client byte for byte, body included, and both connections end.</summary>
public sealed class RefusalTests : IDisposable
{
    private readonly RelayHarness _harness = new();

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData("none")]
    [InlineData("length")]
    [InlineData("chunked")]
    [InlineData("until end")]
    [InlineData("empty")]
    public void A_body_ends_as_its_head_says_and_nothing_follows_it(string framing)
    {
        var (head, body) = Answer(framing, 200);
        using var client = Dial(out var endpoint);
        endpoint.Send([.. Encoding.ASCII.GetBytes(head), .. body]);
        if (framing == "until end")
            endpoint.Finish();
        else
            endpoint.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        Assert.Equal([.. Encoding.ASCII.GetBytes(head), .. body], client.ReceiveToEnd());
        AssertRefused(client);
    }

    [Theory]
    [InlineData("length")]
    [InlineData("chunked")]
    public void A_body_may_be_cut_at_every_byte(string framing)
    {
        var (head, body) = Answer(framing, 30);
        byte[] all = [.. Encoding.ASCII.GetBytes(head), .. body];
        using var client = Dial(out var endpoint);
        foreach (var b in all)
        {
            endpoint.Send([b]);
            _ = _harness.OnLoop(_ => 0);
        }

        Assert.Equal(all, client.ReceiveToEnd());
        AssertRefused(client);
    }

    [Theory]
    [InlineData("length")]
    [InlineData("chunked")]
    [InlineData("until end")]
    public async Task A_large_body_waits_for_a_slow_client(string framing)
    {
        var (head, body) = Answer(framing, 12 << 20);
        using var client = _harness.Connect(4096);
        client.Send(RelayHarness.Request);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        var sending = Task.Run(() =>
        {
            endpoint.Send(head);
            endpoint.Send(body);
            endpoint.Finish();
        });
        _harness.Until(l => !l.Core.Pairs[0].Down.Spill.IsEmpty, "the client is slow");
        Assert.Equal(head, client.ReceiveHead());
        var got = new byte[body.Length];
        for (var i = 0; i < got.Length; i += 1 << 20)
        {
            client.ReceiveInto(got.AsSpan(i, Math.Min(1 << 20, got.Length - i)));
            Assert.InRange(_harness.OnLoop(l => l.Core.Pairs[0].Down.Spill.Length), 0, 1 << 20);
        }

        await sending;
        Assert.True(got.AsSpan().SequenceEqual(body));
        Assert.Empty(client.ReceiveToEnd());
        AssertRefused(client);
    }

    [Fact]
    public void A_body_that_the_endpoint_cuts_short_is_cut_for_the_client_too()
    {
        using var client = Dial(out var endpoint);
        endpoint.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nshort");
        endpoint.Dispose();
        Assert.EndsWith("\r\n\r\nshort", Encoding.ASCII.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        AssertRefused(client);
    }

    [Fact]
    public void A_client_that_leaves_during_the_body_frees_the_endpoint()
    {
        using var client = Dial(out var endpoint);
        endpoint.Send("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nshort");
        _ = client.ReceiveHead();
        client.Reset();
        Assert.ThrowsAny<Exception>(() =>
        {
            if (endpoint.ReceiveToEnd().Length == 0)
                throw new EndOfStreamException();
        });
        AssertRefused(client);
    }

    [Fact]
    public void Early_bytes_of_a_refused_client_are_dropped_with_both_connections()
    {
        using var client = _harness.Connect();
        client.Send([.. Encoding.ASCII.GetBytes(RelayHarness.Request), .. Encoding.ASCII.GetBytes(RelayHarness.Request)]);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        const string Answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        endpoint.Send(Answer);
        Assert.Empty(endpoint.ReceiveToEnd());
        Assert.Equal(Answer, Encoding.ASCII.GetString(client.ReceiveToEnd()));
        AssertRefused(client);
    }

    private static (string Head, byte[] Body) Answer(string framing, int length)
    {
        var data = new byte[length];
        for (var i = 0; i < length; i++)
            data[i] = (byte)('a' + (i % 23));
        return framing switch
        {
            "none" => ("HTTP/1.1 304 Not Modified\r\n\r\n", []),
            "empty" => ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", []),
            "length" => ("HTTP/1.1 404 Not Found\r\nContent-Length: " + length.ToString(CultureInfo.InvariantCulture) + "\r\n\r\n", data),
            "chunked" => (
                "HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n",
                [
                    .. Encoding.ASCII.GetBytes((length - 10).ToString("x", CultureInfo.InvariantCulture) + ";x=y\r\n"), .. data.AsSpan(10),
                    .. "\r\nA\r\n0123456789\r\n0\r\nTrailer: yes\r\n\r\n"u8,
                ]),
            _ => ("HTTP/1.1 503 Busy\r\n\r\n", data),
        };
    }

    private RawPeer Dial(out RawPeer endpoint)
    {
        var client = _harness.Connect();
        client.Send(RelayHarness.Request);
        endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        return client;
    }

    private void AssertRefused(RawPeer client)
    {
        client.Dispose();
        Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
        _harness.Until(l => l.Core.Pairs.Count == 0, "the slot is free");
        Assert.Equal((0, 0), _harness.OnLoop(l => (l.Handshakes.InFlight, l.Established)));
        Assert.Empty(_harness.Policy.Ends);
    }
}
