using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Xunit;

namespace Holdfast.Tests.Links;

/// <summary>What the gateway makes of requests that were read elsewhere, of connections for others, and the places that both take.</summary>
public sealed class LinkedRequestTests
{
    private const int Usable = 3;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Endpoint_and_cookie_know_whether_the_client_speaks_TLS(bool isSecure)
    {
        using var gateway = new LinkedFixture();
        using var client = gateway.Ask(isSecure);
        var (request, answer, endpoint) = gateway.Agree(client);
        using var _ = endpoint;
        Assert.Equal(isSecure ? "https" : "http", Upgrades.Value(request, "X-Forwarded-Proto"));
        Assert.Equal("192.0.2.7", Upgrades.Value(request, "X-Forwarded-For"));
        Assert.Equal(isSecure, Upgrades.Value(answer, "Set-Cookie")!.EndsWith("; Secure", StringComparison.Ordinal));
        Assert.Equal(HandshakeOutcome.Upgraded, gateway.Handshake().Outcome);
    }

    [Fact]
    public void A_trusted_proxys_word_counts_for_more_than_the_way_from_it()
    {
        using var gateway = new LinkedFixture(LinkedFixture.Plain with { TrustedProxies = [System.Net.IPNetwork.Parse("192.0.2.0/24")] });
        using var client = gateway.Ask(isSecure: true, more: "X-Forwarded-Proto: http\r\n");
        var (request, answer, endpoint) = gateway.Agree(client);
        using var _ = endpoint;
        Assert.Equal("http", Upgrades.Value(request, "X-Forwarded-Proto"));
        Assert.DoesNotContain("Secure", Upgrades.Value(answer, "Set-Cookie"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_upgrade_on_a_connection_that_is_counted_is_not_counted_again(bool isCounted)
    {
        using var gateway = new LinkedFixture(LinkedFixture.Plain with { Limits = new() { Connections = 1 } });
        // As the hand-off of the connection that it comes on does.
        Assert.True(gateway.Runtime.TryAdmit(gateway.Listener.Id));
        using var client = gateway.Ask(isCounted: isCounted);
        if (!isCounted)
        {
            Assert.StartsWith("HTTP/1.1 503 ", client.ReceiveHead(), StringComparison.Ordinal);
            Assert.Equal(HandshakeOutcome.GatewayFull, gateway.Handshake().Outcome);
            return;
        }

        var (_, answer, endpoint) = gateway.Agree(client);
        using var _ = endpoint;
        Assert.StartsWith("HTTP/1.1 101 ", answer, StringComparison.Ordinal);
        client.Leave(LinkEnd.Reset);
        endpoint.Dispose();
        Assert.True(gateway.Ends.TryTake(out var end, RawPeer.Patience), "the pair does not end");
        Assert.Equal(EndReason.DownstreamReset, end.Reason);
        // It gave back its own place only: the listener is still full.
        Assert.False(gateway.Runtime.TryAdmit(gateway.Listener.Id));
        gateway.Runtime.Leave(gateway.Listener.Id);
        AssertFree(gateway, usable: 1);
    }

    [Theory]
    [InlineData("ends")]
    [InlineData("refused by the endpoint")]
    [InlineData("client gone")]
    public void What_a_linked_connection_takes_comes_back(string how)
    {
        using var gateway = new LinkedFixture(usable: Usable);
        for (var i = 0; i < 2 * Usable; i++)
        {
            using var client = gateway.Ask();
            using var endpoint = RawPeer.Accept(gateway.Endpoints);
            _ = endpoint.ReceiveHead();
            switch (how)
            {
                case "ends":
                    endpoint.Send(LinkedFixture.Switching);
                    _ = client.ReceiveHead();
                    client.Leave(LinkEnd.Reset);
                    endpoint.Dispose();
                    Assert.True(gateway.Ends.TryTake(out _, RawPeer.Patience), "the pair does not end");
                    break;
                case "client gone":
                    client.Leave(LinkEnd.Eof);
                    break;
                default:
                    endpoint.Send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
                    _ = client.ReceiveHead();
                    break;
            }

            _ = gateway.Handshake();
            client.WaitForClose();
        }

        AssertFree(gateway, Usable);
    }

    [Fact]
    public void Places_are_taken_whole_or_not_at_all()
    {
        using var gateway = new LinkedFixture(LinkedFixture.Plain with { Limits = new() { Connections = 2 } }, Usable);
        var (runtime, id) = (gateway.Runtime, gateway.Listener.Id);
        var bridged = new ConnectionPlaces(IsCounted: true, IsBridged: true);
        Assert.True(runtime.TryAdmit(id, bridged));
        Assert.False(runtime.TryAdmit(id, bridged));
        Assert.True(runtime.TryAdmit(id));
        Assert.False(runtime.TryAdmit(id));
        PairClaims claims = default;
        bridged.KeepIn(ref claims);
        claims.Kinds |= 3;      // The backend's own claims lie beside.
        Assert.Equal(bridged, ConnectionPlaces.Of(in claims));
        runtime.Leave(id, ConnectionPlaces.Of(in claims));
        runtime.Leave(id);
        AssertFree(gateway, usable: 2);
    }

    [Fact]
    public void A_plain_connection_takes_a_place_when_it_is_handed_off()
    {
        using var gateway = new LinkedFixture(usable: 1);
        using var first = gateway.Connect();
        first.Send("GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        Assert.True(gateway.HandedOff.TryTake(out var taken, RawPeer.Patience), "nothing is handed off");
        using var _ = taken.Socket;
        Assert.False(taken.IsTls);
        using var second = gateway.Connect();
        second.Send("GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 503 ", second.ReceiveHead(), StringComparison.Ordinal);
        Assert.Equal(HandshakeOutcome.GatewayFull, gateway.Handshake().Outcome);
        gateway.Runtime.Leave(gateway.Listener.Id);

        // One that nobody takes gives its place back.
        gateway.TakesHandOffs = false;
        using var third = gateway.Connect();
        third.Send("GET / HTTP/1.1\r\nHost: chat.example\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 503 ", third.ReceiveHead(), StringComparison.Ordinal);
        AssertFree(gateway, usable: 1);
    }

    [Fact]
    public void A_TLS_listeners_connection_is_handed_off_unread_and_closed_unanswered_when_there_is_no_place()
    {
        using var gateway = new LinkedFixture(LinkedFixture.Tls, usable: 1);
        using var first = gateway.Connect();
        first.Send("GET /ws HTTP/1.1\r\n");
        Assert.True(gateway.HandedOff.TryTake(out var taken, RawPeer.Patience), "nothing is handed off");
        using var _ = taken.Socket;
        Assert.True(taken.IsTls);
        Assert.Empty(taken.Received);
        using var second = gateway.Connect();
        second.Send("x");
        Assert.Empty(second.ReceiveToReset());
        var record = gateway.Handshake();
        Assert.Equal((HandshakeOutcome.GatewayFull, 0), (record.Outcome, record.Status));
    }

    private static void AssertFree(LinkedFixture gateway, int usable)
    {
        for (var i = 0; i < usable; i++)
            Assert.True(gateway.Runtime.TryAdmit(gateway.Listener.Id), "a place is lost");
        Assert.False(gateway.Runtime.TryAdmit(gateway.Listener.Id), "a place was given back twice");
    }
}
