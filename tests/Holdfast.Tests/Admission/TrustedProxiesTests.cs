using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Admission;
using Holdfast.Relay.Interop;
using Xunit;

namespace Holdfast.Tests.Admission;

public sealed class TrustedProxiesTests
{
    [Theory]
    [InlineData("10.0.0.0/8", "10.255.1.2", true)]
    [InlineData("10.0.0.0/8", "11.0.0.1", false)]
    [InlineData("10.0.0.0/8", "::ffff:10.0.0.1", true)]
    [InlineData("10.0.0.0/8", "::10.0.0.1", false)]
    [InlineData("192.0.2.1/32", "192.0.2.1", true)]
    [InlineData("192.0.2.1/32", "192.0.2.2", false)]
    [InlineData("0.0.0.0/0", "192.0.2.2", true)]
    [InlineData("0.0.0.0/0", "2001:db8::1", false)]
    [InlineData("::/0", "2001:db8::1", true)]
    [InlineData("::/0", "192.0.2.2", false)]
    [InlineData("::/0", "::ffff:192.0.2.2", false)]
    [InlineData("::ffff:10.0.0.0/104", "10.1.2.3", true)]
    [InlineData("::ffff:10.0.0.0/104", "11.1.2.3", false)]
    [InlineData("fd00::/8", "fd12::1", true)]
    [InlineData("fd00::/8", "fe80::1", false)]
    [InlineData("2001:db8::/33", "2001:db8:7fff::1", true)]
    [InlineData("2001:db8::/33", "2001:db8:8000::1", false)]
    public void An_address_is_in_a_network_of_its_family(string network, string address, bool expected) =>
        Assert.Equal(expected, new TrustedProxies([IPNetwork.Parse(network)]).Contains(Of(address)));

    [Fact]
    public void Networks_hold_what_the_framework_says_they_hold()
    {
        var networks = from bits in Gen.Choose(0, 32) from host in Bytes(4) select IPNetwork.Parse($"{Cut(host, bits)}/{bits}");
        var address = from host in Bytes(4) from isMapped in Gen.Elements(false, true) select (IPAddress: new IPAddress(host), IsMapped: isMapped);
        Prop.ForAll(networks.ArrayOf().ToArbitrary(), address.ToArbitrary(), (given, client) =>
            given.Any(n => n.Contains(client.IPAddress))
                == new TrustedProxies(given).Contains(NativeAddress.From(new IPEndPoint(client.IsMapped ? client.IPAddress.MapToIPv6() : client.IPAddress, 1))))
            .Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(500));
    }

    [Fact]
    public void Nobody_is_trusted_where_none_is_named()
    {
        Assert.True(TrustedProxies.None.IsEmpty);
        Assert.False(TrustedProxies.None.Contains(Of("127.0.0.1")));
        Assert.False(new TrustedProxies([IPNetwork.Parse("::/0"), IPNetwork.Parse("0.0.0.0/0")]).Contains(default));
    }

    [Fact]
    public void Asking_allocates_nothing()
    {
        var proxies = new TrustedProxies([IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("fd00::/8")]);
        var (v4, v6) = (Of("192.0.2.1"), Of("2001:db8::1"));
        Allocations.AssertNone(() => _ = proxies.Contains(v4) || proxies.Contains(v6));
    }

    private static NativeAddress Of(string address) => NativeAddress.From(new IPEndPoint(IPAddress.Parse(address), 443));

    private static Gen<byte[]> Bytes(int count) => Gen.Choose(0, 3).Select(b => (byte)(b * 85)).ArrayOf(count);

    private static IPAddress Cut(byte[] host, int bits)
    {
        for (var i = bits; i < 8 * host.Length; i++)
            host[i / 8] &= (byte)~(0x80 >> (i % 8));
        return new IPAddress(host);
    }
}
