using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>
/// Many clients that never become connections, because they are slow on purpose: all are gone when their time is over, with all that they cost, and
/// those who are connected never notice. Alone, for the descriptors of this process are counted.
/// </summary>
[Collection(nameof(Alone))]
public sealed class SlowClientTests : IDisposable
{
    private const int Many = 300;
    private readonly RelayHarness _harness = new(clock: new ManualClock());
    private readonly Ends _live;
    private int _checks;

    public SlowClientTests()
    {
        _live = _harness.Open();
        CheckLive();
    }

    public void Dispose()
    {
        _live.Dispose();
        _harness.Dispose();
    }

    [Theory]
    [InlineData("nothing", null)]
    [InlineData("one byte", "HTTP/1.1 408")]
    [InlineData("a byte now and then", "HTTP/1.1 408")]
    [InlineData("header lines without end", "HTTP/1.1 408")]
    [InlineData("a head but its last byte", "HTTP/1.1 408")]
    public void Clients_whose_head_is_not_whole_in_time_are_gone_and_leave_nothing(string what, string? answer)
    {
        var descriptors = Descriptors();
        var clients = Connect(Many);
        var heads = clients.ConvertAll(_ => 0L);
        foreach (var client in clients)
        {
            client.Send(what switch
            {
                "nothing" => "",
                "a head but its last byte" => RelayHarness.Request[..^1],
                "header lines without end" => "GET /ws HTTP/1.1\r\nHost: test\r\n",
                _ => "G",
            });
        }

        for (var second = 0; second < 9; second++)
        {
            _harness.Advance(1000);
            foreach (var client in clients)
            {
                if (what == "a byte now and then")
                    client.Send("E");
                if (what == "header lines without end")
                    client.Send(string.Concat(Enumerable.Repeat("a: b\r\n", 400)));
            }

            CheckLive();
            Assert.Equal(1 + Many, _harness.OnLoop(l => l.Core.Pairs.Count));
        }

        _harness.Advance(1100);
        foreach (var client in clients)
        {
            var heard = Encoding.ASCII.GetString(client.ReceiveToEnd());
            Assert.True(answer is null ? heard.Length == 0 : heard.StartsWith(answer, StringComparison.Ordinal), heard);
        }

        // They hear it, and stay connected: that helps them no longer than this.
        _harness.Advance(2100);
        AssertNothingLeft(descriptors + Many, answer is null ? 0 : Many);
        clients.ForEach(c => c.Dispose());
        CheckLive();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Clients_that_never_read_their_refusal_are_gone_and_leave_nothing(bool goesOnSending)
    {
        _harness.Policy.Target = _ => null;
        var descriptors = Descriptors();
        var clients = Connect(Many);
        clients.ForEach(c => c.Send(RelayHarness.Request));
        for (var i = 0; i < Many; i++)
            Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
        for (var i = 0; i < 3; i++)
        {
            if (goesOnSending)
                clients.ForEach(c => c.Send(RelayHarness.Request));
            _harness.Advance(600);
            CheckLive();
        }

        _harness.Advance(400);
        AssertNothingLeft(descriptors + Many, 0);
        clients.ForEach(c => c.Dispose());
        CheckLive();
    }

    [Fact]
    public void A_client_that_never_reads_an_endpoints_refusal_is_gone_with_the_endpoint()
    {
        var descriptors = Descriptors();
        using var client = _harness.Connect(receiveBuffer: 4096);
        client.Send(RelayHarness.Request);
        using var endpoint = RawPeer.Accept(_harness.Endpoints);
        _ = endpoint.ReceiveHead();
        endpoint.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000000\r\n\r\n");
        endpoint.Socket.Blocking = false;
        _harness.Until(
            l =>
            {
                while (endpoint.Socket.Send(new byte[65_536], System.Net.Sockets.SocketFlags.None, out var error) > 0 && error == System.Net.Sockets.SocketError.Success)
                {
                }

                return !l.Core.Pairs[1].Down.Spill.IsEmpty && l.Core.Pairs[1].Up.Has(LegFlags.Paused);
            },
            "the client holds it up");
        _harness.Advance(29_000);
        CheckLive();
        Assert.Equal(2, _harness.OnLoop(l => l.Core.Pairs.Count));
        _harness.Advance(1100);
        AssertNothingLeft(descriptors + 2, 1);
        CheckLive();
    }

    [Fact]
    public void The_memory_of_many_long_heads_is_given_back()
    {
        const int Crowd = 1000, Length = 4000;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var clients = Connect(Crowd);
        clients.ForEach(c => c.Send("GET /" + new string('x', Length)));
        _harness.Until(l => l.Handshakes.InFlight == Crowd, "all have begun");
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, Crowd * Length, long.MaxValue);
        _harness.Advance(HandshakeDriver.HeadTimeout + 100);
        clients.ForEach(c => c.Dispose());
        _harness.Until(l => l.Core.Pairs.Count == 1, "all are gone");
        // What lies about the handshakes themselves stays, for the next crowd.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, Crowd * Length / 2);
    }

    private static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

    private List<RawPeer> Connect(int count)
    {
        var clients = new List<RawPeer>();
        for (var i = 0; i < count; i++)
            clients.Add(_harness.Connect());
        _harness.Until(l => l.Core.Pairs.Count == 1 + count, "all are accepted");
        return clients;
    }

    private void CheckLive()
    {
        var frame = Frames.FromClient(Frames.Text, Encoding.ASCII.GetBytes(FormattableString.Invariant($"{_checks++}")));
        _live.Client.Send(frame);
        Assert.Equal(frame, _live.Endpoint.Receive(frame.Length));
    }

    /// <summary>Beside the live pair: no pair, no handshake, no descriptor of the loop's.</summary>
    private void AssertNothingLeft(int descriptors, int refused)
    {
        _harness.Until(l => l.Core.Pairs.Count == 1, "only the live pair is left");
        Assert.Equal((0, 1), _harness.OnLoop(l => (l.Handshakes.InFlight, l.Established)));
        for (var i = 0; i < refused; i++)
            Assert.Equal(HandshakeEnd.Refused, _harness.WaitForHandshakeEnd());
        Assert.Empty(_harness.Policy.HandshakeEnds);
        Assert.Empty(_harness.Policy.Ends);
        // What other tests forgot may be closed meanwhile.
        Assert.InRange(Descriptors(), 0, descriptors);
    }
}
