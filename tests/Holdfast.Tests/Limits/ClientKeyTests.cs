using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Limits;
using Holdfast.Relay.Interop;
using Xunit;

namespace Holdfast.Tests.Limits;

public sealed class ClientKeyTests
{
    private static readonly Config Quietly = Config.QuickThrowOnFailure.WithQuietOnSuccess(true);

    [Theory]
    [InlineData("192.0.2.1:1", "192.0.2.1:2", true)]
    [InlineData("192.0.2.1:1", "[::ffff:192.0.2.1]:1", true)]
    [InlineData("192.0.2.1:1", "192.0.2.2:1", false)]
    [InlineData("192.0.2.1:1", "[::192.0.2.1]:1", false)]
    [InlineData("[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff:ffff:ffff:ffff]:2", true)]
    [InlineData("[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false)]
    [InlineData("[fe80::1%1]:1", "[fe80::2%2]:1", true)]
    [InlineData("[::1]:1", "127.0.0.1:1", false)]
    public void A_client_is_its_IPv4_address_or_its_IPv6_slash_64(string left, string right, bool same) =>
        Assert.Equal(same, KeyOf(left) == KeyOf(right));

    [Fact]
    public void Bits_and_port_survive_the_way_there_and_back()
    {
        Prop.ForAll<ulong, ulong, ushort>((high, low, port) =>
        {
            var bits = new UInt128(high, low);
            var address = NativeAddress.From(bits, port);
            var endPoint = address.ToEndPoint();
            return address.Bits == bits && address.Port == port && endPoint.Port == port && NativeAddress.From(endPoint).Bits == bits;
        }).Check(Quietly);
        Prop.ForAll<uint, ushort>((v4, port) =>
        {
            var address = NativeAddress.From(((UInt128)0xFFFF << 32) | v4, port);
            return address.IsV4 && address == NativeAddress.From(address.ToEndPoint()) && address.Bits == NativeAddress.From(Mapped(address)).Bits;
        }).Check(Quietly);
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        var address = Of("[2001:db8::1]:443");
        Allocations.AssertNone(() => _ = ClientKey.KeyOf(address));
    }

    private static IPEndPoint Mapped(NativeAddress address) => new(address.ToEndPoint().Address.MapToIPv6(), address.Port);

    private static NativeAddress Of(string text) => NativeAddress.From(IPEndPoint.Parse(text));

    private static UInt128 KeyOf(string text) => ClientKey.KeyOf(Of(text));
}
