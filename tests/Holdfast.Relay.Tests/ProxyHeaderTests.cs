using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Listeners that want a PROXY protocol header before the request.</summary>
public sealed class ProxyHeaderTests : IDisposable
{
    private const string Text = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n";
    private const string Binary = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xCB\0\x71\x07\xC0\0\x02\x01\x12\x67\x01\xBB\xEE\0\u0002ab";
    private const string Binary6 = "\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x01\xBB";
    private const string Local = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

    private readonly RelayHarness _harness = new(clock: new ManualClock());
    private ProxyHeaderUse _use = ProxyHeaderUse.Required;
    private int _asked;

    public ProxyHeaderTests() => _harness.Policy.ProxyHeader = _ =>
    {
        Interlocked.Increment(ref _asked);
        return _use;
    };

    public void Dispose()
    {
        Assert.Equal(0, _harness.OnLoop(l => l.Handshakes.InFlight));
        _harness.Dispose();
    }

    [Theory]
    [InlineData(Text, "203.0.113.7:4711")]
    [InlineData(Binary, "203.0.113.7:4711")]
    [InlineData(Binary6, "[2001:db8::7]:4711")]
    public void The_headers_source_is_the_client_and_nothing_of_the_header_reaches_the_endpoint(string header, string source)
    {
        // All at once, and cut in every place that may matter.
        for (var cut = 0; cut < header.Length + 3; cut++)
        {
            using var client = _harness.Connect();
            var all = header + RelayHarness.Request;
            client.Send(all[..cut]);
            if (cut > 0)
                _harness.Until(l => l.Core.Pairs.Count == 1 && l.Handshakes.InFlight == 1, "the first part was read");
            client.Send(all[cut..]);
            AssertIs(client, source);
        }
    }

    [Fact]
    public void Byte_by_byte_it_is_the_same()
    {
        using var client = _harness.Connect();
        foreach (var part in Binary + RelayHarness.Request)
            client.Send(part.ToString());
        AssertIs(client, "203.0.113.7:4711");
        Assert.Equal(1, _asked);
    }

    [Theory]
    [InlineData(Local)]
    [InlineData("PROXY UNKNOWN\r\n")]
    public void A_header_without_a_source_leaves_the_connections_own(string header)
    {
        using var client = _harness.Connect();
        client.Send(header + RelayHarness.Request);
        AssertIs(client, string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)client.Socket.LocalEndPoint!).Port}"));
    }

    [Theory]
    [InlineData(RelayHarness.Request)]
    [InlineData("G")]
    [InlineData("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\n\n" + RelayHarness.Request)]
    [InlineData("PROXY TCP4 203.0.113.7 192.0.2.1 4711 99999\r\n" + RelayHarness.Request)]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x31\x11\0\0" + RelayHarness.Request)]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\x11\xFF\xFF")]
    [InlineData("\x16\x03\x01")]
    public void Without_a_good_header_the_connection_is_closed_unanswered(string sent)
    {
        using var client = _harness.Connect();
        client.Send(sent);
        AssertClosedUnanswered(client);
        Assert.Equal([RequestFault.BadProxyHeader], _harness.Policy.Faults);
        Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
    }

    [Fact]
    public void A_second_header_is_no_request()
    {
        using var client = _harness.Connect();
        client.Send(Binary + Binary + RelayHarness.Request);
        // The test's policy dials whatever ends like a head: what it was given shows that the second one was not taken as a header.
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        Assert.Equal("\r\n\r\n", Encoding.Latin1.GetString(endpoint.Receive(4)));
        client.Dispose();
        Assert.Equal(HandshakeEnd.ClientGone, _harness.WaitForHandshakeEnd());
    }

    [Fact]
    public void A_peer_that_may_not_send_one_is_closed_at_once()
    {
        _use = ProxyHeaderUse.Refused;
        using var client = _harness.Connect();
        AssertClosedUnanswered(client);
        Assert.Equal([RequestFault.BadProxyHeader], _harness.Policy.Faults);
        Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
        _harness.Until(l => l.Core.Pairs.Count == 0, "its place is free");
    }

    [Fact]
    public void Half_a_header_has_no_longer_than_a_head()
    {
        using var client = _harness.Connect();
        client.Send(Binary[..20]);
        _harness.Until(l => l.Handshakes.InFlight == 1, "it was read");
        _harness.Advance(HandshakeDriver.HeadTimeout - 1_000);
        Assert.Empty(_harness.Policy.Faults);
        _harness.Advance(1_100);
        AssertClosedUnanswered(client);
        Assert.Equal([RequestFault.BadProxyHeader], _harness.Policy.Faults);
    }

    [Fact]
    public void A_header_gives_no_time_for_the_head_beyond_its_own()
    {
        using var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it was accepted");
        _harness.Advance(HandshakeDriver.HeadTimeout - 1_000);
        client.Send(Text + "GET ");
        _harness.Until(l => l.Handshakes.InFlight == 1, "it was read");
        _harness.Advance(1_100);
        Assert.StartsWith("HTTP/1.1 408 ", Encoding.ASCII.GetString(client.ReceiveToEnd()), StringComparison.Ordinal);
        Assert.Equal([RequestFault.HeadTimeout], _harness.Policy.Faults);
    }

    [Fact]
    public void Who_never_speaks_frees_the_place_and_nobody_is_told()
    {
        using var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it was accepted");
        _harness.Advance(HandshakeDriver.HeadTimeout + 1_000);
        AssertClosedUnanswered(client);
        Assert.Empty(_harness.Policy.Faults);
        _harness.Until(l => l.Core.Pairs.Count == 0, "its place is free");
    }

    [Fact]
    public void Who_leaves_within_the_header_is_gone()
    {
        using (var client = _harness.Connect())
            client.Send(Binary[..20]);
        Assert.Equal(HandshakeEnd.ClientGone, _harness.WaitForHandshakeEnd());
        Assert.Empty(_harness.Policy.Faults);
    }

    [Fact]
    public void What_is_handed_off_has_no_header_before_it()
    {
        const string Head = "POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo";
        using var client = _harness.Connect();
        client.Send(Binary[..5]);
        _harness.Until(l => l.Handshakes.InFlight == 1, "the first part was read");
        client.Send(Binary[5..] + Head);
        Assert.True(_harness.Policy.HandedOff.TryTake(out var taken, RawPeer.Patience));
        Assert.Equal(Head, Encoding.ASCII.GetString(taken.Received));
        Interop.Sys.Close(taken.Fd);
        Assert.Empty(client.ReceiveToEnd());
    }

    private void AssertIs(RawPeer client, string source)
    {
        using (var endpoint = RawPeer.Accept(_harness.Endpoints))
        {
            Assert.Equal(RelayHarness.Request, endpoint.ReceiveHead());
            endpoint.Send(RelayHarness.Switching);
            Assert.Equal(RelayHarness.Switching, client.ReceiveHead());
        }

        client.Dispose();
        Assert.Equal(source, _harness.WaitForEnd().Client.ToString());
        _harness.Until(l => l.Core.Pairs.Count == 0, "the slot is free");
    }

    /// <summary>FIN, or a reset where bytes lay unread.</summary>
    private static void AssertClosedUnanswered(RawPeer client)
    {
        try
        {
            Assert.Empty(client.ReceiveToEnd());
        }
        catch (SocketException e)
        {
            Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
        }
    }
}
