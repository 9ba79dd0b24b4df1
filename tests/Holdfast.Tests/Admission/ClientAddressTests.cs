using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;
using Holdfast.Tests.Routing;
using Xunit;

namespace Holdfast.Tests.Admission;

/// <summary>10.0.0.0/8 and fd00::/8 are trusted here, and the peer is 10.0.0.9 where none is named.</summary>
public sealed class ClientAddressTests
{
    private const string Peer = "10.0.0.9:4711";

    private static readonly TrustedProxies Trusted = new([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")]);

    [Theory]
    [InlineData("203.0.113.7", "203.0.113.7")]
    [InlineData("203.0.113.7:1234", "203.0.113.7:1234")]
    [InlineData("2001:db8::7", "2001:db8::7")]
    [InlineData("[2001:db8::7]", "2001:db8::7")]
    [InlineData("[2001:db8::7]:1234", "[2001:db8::7]:1234")]
    [InlineData("::ffff:203.0.113.7", "203.0.113.7")]
    [InlineData("[::FFFF:cb00:7107]:5", "203.0.113.7:5")]
    [InlineData("6.6.6.6, 203.0.113.7", "203.0.113.7")]
    [InlineData("6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7")]
    [InlineData("6.6.6.6,203.0.113.7 ,\tfd00::1,[::ffff:10.1.1.1]:80", "203.0.113.7")]
    [InlineData("10.0.0.3:33, 10.0.0.2", "10.0.0.3:33")]
    [InlineData("6.6.6.6, garbage, 10.0.0.2", "10.0.0.2")]
    [InlineData("6.6.6.6, , 10.0.0.2", "10.0.0.2")]
    [InlineData("6.6.6.6,", Peer)]
    [InlineData("6.6.6.6, unknown", Peer)]
    [InlineData("6.6.6.6, _hidden", Peer)]
    [InlineData("6.6.6.6, 203.0.113.7.", Peer)]
    [InlineData("6.6.6.6, 0x7f.1", Peer)]
    [InlineData("6.6.6.6, 010.0.0.1", Peer)]
    [InlineData("6.6.6.6, 203.0.113.7:99999", Peer)]
    [InlineData("6.6.6.6, 203.0.113.7:", Peer)]
    [InlineData("6.6.6.6, [2001:db8::7", Peer)]
    [InlineData("6.6.6.6, 2001:db8::7]", Peer)]
    [InlineData("6.6.6.6, [203.0.113.7]:1", Peer)]
    [InlineData("6.6.6.6, fe80::1%eth0", Peer)]
    [InlineData("6.6.6.6 203.0.113.7", Peer)]
    [InlineData("\"203.0.113.7\"", Peer)]
    [InlineData("", Peer)]
    public void X_Forwarded_For_is_read_from_the_right(string list, string expected) => Assert.Equal(expected, Of(("X-Forwarded-For", list)));

    [Theory]
    [InlineData("for=203.0.113.7", "203.0.113.7")]
    [InlineData("For=\"203.0.113.7:1234\";proto=https;by=10.0.0.1", "203.0.113.7:1234")]
    [InlineData("proto=https;FOR=\"[2001:db8::7]:1234\"", "[2001:db8::7]:1234")]
    [InlineData("for=\"[2001:db8::7]\"", "2001:db8::7")]
    [InlineData("for=\"\\[2001:db8:\\:7\\]\"", "2001:db8::7")]
    [InlineData("for=\"[::ffff:203.0.113.7]\"", "203.0.113.7")]
    [InlineData("for=\"203.0.113.7:_port\"", "203.0.113.7")]
    [InlineData("for=6.6.6.6, for=203.0.113.7;host=\"a,b;for=1.2.3.4\", for=10.0.0.1", "203.0.113.7")]
    [InlineData("for=6.6.6.6, for=unknown, for=10.0.0.1", "10.0.0.1")]
    [InlineData("for=6.6.6.6, for=_SEVKISEK, for=10.0.0.1", "10.0.0.1")]
    [InlineData("for=6.6.6.6, proto=http, for=10.0.0.1", "10.0.0.1")]
    [InlineData("for=6.6.6.6, for=203.0.113.7;for=203.0.113.8", Peer)]
    [InlineData("for=6.6.6.6, for=\"2001:db8::7\"", Peer)]
    [InlineData("for=6.6.6.6, for=203.0.113.7:80", Peer)]
    [InlineData("for=6.6.6.6, for=\"203.0.113.7", Peer)]
    [InlineData("for=6.6.6.6, for=203.0.113.7\"", Peer)]
    [InlineData("for=6.6.6.6, for=\"203.0.113.7\"x", Peer)]
    [InlineData("for=6.6.6.6, for", Peer)]
    [InlineData("for=6.6.6.6, for=", Peer)]
    [InlineData("for=6.6.6.6,", Peer)]
    [InlineData("203.0.113.7", Peer)]
    [InlineData("for=\", for=203.0.113.7", "203.0.113.7")]
    [InlineData("for=\"\\, for=\"[2001:db8::7]\"", "2001:db8::7")]
    public void Forwarded_is_read_from_the_right(string list, string expected) => Assert.Equal(expected, Of(("Forwarded", list)));

    [Fact]
    public void All_lines_of_a_name_are_one_list()
    {
        Assert.Equal("203.0.113.7", Of(("X-Forwarded-For", "6.6.6.6"), ("x-other", "1"), ("X-FORWARDED-FOR", "203.0.113.7"), ("x-forwarded-for", "10.0.0.1, 10.0.0.2")));
        Assert.Equal("203.0.113.7", Of(("Forwarded", "for=6.6.6.6"), ("forwarded", "for=203.0.113.7"), ("Forwarded", "for=10.0.0.1")));
        Assert.Equal("10.0.0.1", Of(("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", ""), ("X-Forwarded-For", "10.0.0.1")));
    }

    [Fact]
    public void X_Forwarded_For_wins_over_Forwarded()
    {
        Assert.Equal("203.0.113.7", Of(("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "203.0.113.7")));
        Assert.Equal(Peer, Of(("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "garbage")));
        Assert.Equal(Peer, Of(("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "")));
    }

    [Theory]
    [InlineData("203.0.113.7:99")]
    [InlineData("[2001:db8::1]:99")]
    [InlineData("127.0.0.1:99")]
    public void Nothing_an_untrusted_peer_sends_changes_its_address(string peer)
    {
        foreach (var name in (string[])["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"])
        {
            foreach (var value in (string[])["10.0.0.1", "for=10.0.0.1", "6.6.6.6", "for=6.6.6.6", "127.0.0.1"])
            {
                Assert.Equal(peer, Of(peer, out var isTrusted, (name, value)));
                Assert.False(isTrusted);
            }
        }
    }

    [Fact]
    public void A_trusted_peer_that_tells_of_nobody_is_the_client()
    {
        Assert.Equal(Peer, Of(Peer, out var isTrusted));
        Assert.True(isTrusted);
        Assert.Equal(Peer, Of(("X-Real-IP", "6.6.6.6")));
    }

    [Fact]
    public void Whatever_a_client_puts_left_of_what_trusted_proxies_add_changes_nothing()
    {
        var hostile = Gen.OneOf(
            Gen.Elements("10.0.0.1", "6.6.6.6", "for=10.0.0.1", "for=6.6.6.6", ",", "\"", "\\", "for=\"", "for=\"\\", ";", "=", " ", "\t", "[", "]", "unknown", "_x", "::1"),
            Gen.Choose(32, 126).Select(c => ((char)c).ToString())).ListOf().Select(string.Concat);
        var client = Gen.Elements("203.0.113.7", "2001:db8::7");
        var proxies = Gen.Choose(1, 250).Select(n => $"10.0.{n}.1").ListOf();
        Prop.ForAll(hostile.ToArbitrary(), client.ToArbitrary(), proxies.ToArbitrary(), (left, address, hops) =>
        {
            var element = address.Contains(':', StringComparison.Ordinal) ? $"for=\"[{address}]\"" : $"for={address}";
            foreach (var isOneLine in (bool[])[true, false])
            {
                Assert.Equal(address, Of(Lines("X-Forwarded-For", isOneLine, left, [address, .. hops])));
                Assert.Equal(address, Of(Lines("Forwarded", isOneLine, left, [element, .. hops.Select(h => $"proto=http;for={h}")])));
            }
        }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(2000));
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        var peer = Address(Peer);
        IHeaderLookup chain = new HeaderLines([("X-Forwarded-For", "6.6.6.6, 203.0.113.7, 10.0.0.1")]);
        IHeaderLookup forwarded = new HeaderLines([("Forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:1\";proto=https, for=10.0.0.1")]);
        Allocations.AssertNone(() => _ = ClientAddress.Of(peer, chain, Trusted, out _));
        Allocations.AssertNone(() => _ = ClientAddress.Of(peer, forwarded, Trusted, out _));
    }

    private static (string, string)[] Lines(string name, bool isOneLine, string left, IEnumerable<string> added) =>
        isOneLine ? [(name, string.Join(", ", added.Prepend(left)))] : [(name, left), (name, string.Join(", ", added))];

    private static string Of(params (string, string)[] headers) => Of(Peer, out _, headers);

    private static string Of(string peer, out bool isTrusted, params (string, string)[] headers) =>
        ClientAddress.Of(Address(peer), new HeaderLines(headers), Trusted, out isTrusted).ToString();

    private static NativeAddress Address(string text) => NativeAddress.From(IPEndPoint.Parse(text));
}
