using System.Net.Sockets;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Interop;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Listeners whose connections are for others: handed off at their first byte, which nobody has read.</summary>
public sealed class HandOffUnreadTests : IDisposable
{
    private const string Header = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n";
    private readonly RelayHarness _harness = new(clock: new ManualClock());

    public HandOffUnreadTests() => _harness.Policy.HandsOffUnread = true;

    public void Dispose() => _harness.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(600)]
    public void The_first_byte_hands_the_socket_off_unread(int length)
    {
        using var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it is accepted");
        Assert.Empty(_harness.Policy.HandedOff);
        // Even what looks like a request is nothing to this loop.
        var bytes = Encoding.ASCII.GetBytes("GET /ws HTTP/1.1\r\nHost: test\r\n\r\n" + new string('x', 600))[..length];
        client.Send(bytes);
        using var taken = Take(out var received);
        Assert.Empty(received);
        Assert.Equal(bytes, taken.Receive(length));
        taken.Send("hello");
        Assert.Equal("hello"u8, client.Receive(5));
        AssertNothingLeft();
        Assert.Empty(_harness.Policy.HandshakeEnds);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(100)]
    public void A_proxy_header_is_read_and_what_came_with_it_goes_along(int behind)
    {
        _harness.Policy.ProxyHeader = _ => ProxyHeaderUse.Required;
        using var client = _harness.Connect();
        var bytes = new byte[behind];
        Array.Fill(bytes, (byte)22);
        client.Send([.. Encoding.ASCII.GetBytes(Header), .. bytes]);
        if (behind == 0)
        {
            _harness.Until(l => l.Core.Pairs[0].State == Pairs.PairState.AwaitingHandOff, "the header is read");
            Assert.Empty(_harness.Policy.HandedOff);
            Assert.Equal(0, _harness.OnLoop(l => l.Handshakes.InFlight));
            client.Send([22]);
        }

        using var taken = Take(out var received);
        Assert.Equal(bytes, received);
        if (behind == 0)
            Assert.Equal([22], taken.Receive(1));
        Assert.Equal("192.0.2.1:1234", _harness.Policy.HandedOffPeer);
        AssertNothingLeft();
    }

    [Fact]
    public void A_proxy_header_may_come_byte_by_byte()
    {
        _harness.Policy.ProxyHeader = _ => ProxyHeaderUse.Required;
        using var client = _harness.Connect();
        foreach (var c in Header)
        {
            client.Send([(byte)c]);
            _ = _harness.OnLoop(_ => 0);
        }

        client.Send([22, 3, 1]);
        using var taken = Take(out var received);
        Assert.Equal([22, 3, 1], [.. received, .. taken.Receive(3 - received.Length)]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_silent_client_is_closed_without_an_answer(bool hasHeader)
    {
        if (hasHeader)
            _harness.Policy.ProxyHeader = _ => ProxyHeaderUse.Required;
        using var client = _harness.Connect();
        if (hasHeader)
            client.Send(Header);
        _harness.Until(l => l.Core.Pairs.Count == 1 && l.Core.Pairs[0].State == Pairs.PairState.AwaitingHandOff, "it is waited for");
        _harness.Advance(HandshakeDriver.HeadTimeout + 100);
        Assert.Empty(client.ReceiveToEnd());
        AssertNothingLeft();
        Assert.Empty(_harness.Policy.HandedOff);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_client_that_leaves_without_a_word_is_nobodys_business(bool reset)
    {
        var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it is accepted");
        if (reset)
            client.Reset();
        else
            client.Dispose();
        AssertNothingLeft();
        Assert.Empty(_harness.Policy.HandedOff);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void One_that_nobody_takes_is_closed_without_an_answer(bool hasHeader)
    {
        _harness.Policy.TakesHandOffs = false;
        if (hasHeader)
            _harness.Policy.ProxyHeader = _ => ProxyHeaderUse.Required;
        using var client = _harness.Connect();
        if (hasHeader)
            client.Send(Header + "x");
        else
            client.Send("x");
        Assert.Empty(hasHeader ? client.ReceiveToEnd() : client.ReceiveToReset());
        Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
        AssertNothingLeft();
    }

    [Fact]
    public void Shutdown_closes_those_that_wait()
    {
        using var client = _harness.Connect();
        _harness.Until(l => l.Core.Pairs.Count == 1, "it is accepted");
        _ = _harness.OnLoop(l =>
        {
            l.CloseAll(Pairs.EndReason.Shutdown, Wire.WebSocket.CloseCode.ServiceRestart, Wire.WebSocket.CloseCode.GoingAway);
            return 0;
        });
        Assert.Empty(client.ReceiveToEnd());
        AssertNothingLeft();
    }

    private RawPeer Take(out byte[] received)
    {
        Assert.True(_harness.Policy.HandedOff.TryTake(out var taken, RawPeer.Patience), "nothing is handed off");
        received = taken.Received;
        _ = Libc.fcntl(taken.Fd, LinkedPeer.SetFlags, LinkedPeer.ReadWrite);
        return new RawPeer(new Socket(new SafeSocketHandle(taken.Fd, ownsHandle: true)));
    }

    private void AssertNothingLeft() => _harness.Until(l => l.Core.Pairs.Count == 0 && l.Handshakes.InFlight == 0, "a connection is left");
}
