using System.Buffers.Binary;
using System.Net;
using System.Text;
using Holdfast.Wire.Proxy;
using Xunit;

namespace Holdfast.Tests.Wire.Proxy;

public sealed class ProxyHeaderTests
{
    private const string Signature = "\r\n\r\n\0\r\nQUIT\n";

    private static readonly byte[] Source4 = [203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xBB];
    private static readonly byte[] Source6 = [.. IPAddress.Parse("2001:db8::7").GetAddressBytes(), .. IPAddress.Parse("2001:db8::1").GetAddressBytes(), 0x12, 0x67, 0x01, 0xBB];
    private static readonly byte[] Extensions = [0x01, 0, 8, .. "http/1.1"u8, 0x20, 0, 5, 1, 0, 0, 0, 0, 0x04, 0, 0];

    /// <summary>A good header, and the source that it gives: empty for none.</summary>
    public static TheoryData<string, string> Good => new()
    {
        { "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n", "203.0.113.7:4711" },
        { "PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", "0.0.0.0:0" },
        { "PROXY TCP6 2001:db8::7 2001:DB8:0:0:0:0:0:1 4711 443\r\n", "[2001:db8::7]:4711" },
        { "PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 4711 443\r\n", "203.0.113.7:4711" },
        { "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535" },
        { "PROXY UNKNOWN\r\n", "" },
        { "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "" },
        { "PROXY UNKNOWN whatever \0 it says\r\n", "" },
        { V2(0x21, 0x11, Source4), "203.0.113.7:4711" },
        { V2(0x21, 0x11, [.. Source4, .. Extensions]), "203.0.113.7:4711" },
        { V2(0x21, 0x11, [.. Source4, 0xEE, 0xFF]), "203.0.113.7:4711" },
        { V2(0x21, 0x11, [.. Source4, .. new byte[ProxyHeader.LongestBlock - 12]]), "203.0.113.7:4711" },
        { V2(0x21, 0x21, Source6), "[2001:db8::7]:4711" },
        { V2(0x21, 0x21, [.. Source6, .. Extensions]), "[2001:db8::7]:4711" },
        { V2(0x20, 0x00, []), "" },
        { V2(0x20, 0x11, Source4), "" },
        { V2(0x20, 0xFF, [1, 2, 3]), "" },
        { V2(0x21, 0x00, []), "" },
        { V2(0x21, 0x00, Extensions), "" },
        { V2(0x21, 0x12, Source4), "" },
        { V2(0x21, 0x22, Source6), "" },
        { V2(0x21, 0x31, new byte[216]), "" },
        { V2(0x21, 0x32, new byte[216]), "" },
    };

    public static TheoryData<string> Bad =>
    [
        "GET / HTTP/1.1\r\n", "\r\nGET / HTTP/1.1\r\n", "\r\n\r\n\0\r\nQUIT\r", "proxy TCP4 203.0.113.7 192.0.2.1 4711 443\r\n", "PROXY\r\n", "PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP5 203.0.113.7 192.0.2.1 4711 443\r\n",
        "PROXY UDP4 203.0.113.7 192.0.2.1 4711 443\r\n", "PROXY UNKNOWNX\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 4711\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 1\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 \r\n",
        "PROXY TCP4  203.0.113.7 192.0.2.1 4711 443\r\n", "PROXY  TCP4 203.0.113.7 192.0.2.1 4711 443\r\n", "PROXY TCP4\t203.0.113.7 192.0.2.1 4711 443\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 65536 443\r\n",
        "PROXY TCP4 203.0.113.7 192.0.2.1 -1 443\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 04711 443\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 0443\r\n", "PROXY TCP4 203.0.113.07 192.0.2.1 4711 443\r\n",
        "PROXY TCP4 203.0.113.256 192.0.2.1 4711 443\r\n", "PROXY TCP4 203.0.113 192.0.2.1 4711 443\r\n", "PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n", "PROXY TCP6 203.0.113.7 192.0.2.1 4711 443\r\n",
        "PROXY TCP6 2001:db8::7%1 2001:db8::1 4711 443\r\n", "PROXY TCP6 [2001:db8::7] [2001:db8::1] 4711 443\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\n\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\r\n",
        "PROXY UNKNOWN " + new string('x', 92) + "\r\n", "PROXY TCP4 " + new string('1', 200),
        V2(0x11, 0x11, Source4), V2(0x31, 0x11, Source4), V2(0x22, 0x11, Source4), V2(0x2F, 0x11, Source4), V2(0x21, 0x01, Source4), V2(0x21, 0x10, Source4), V2(0x21, 0x13, Source4), V2(0x21, 0x41, Source4),
        V2(0x21, 0xFF, Source4), V2(0x21, 0x11, Source4[..11]), V2(0x21, 0x11, []), V2(0x21, 0x21, Source6[..35]), V2(0x21, 0x21, Source4), V2(0x21, 0x11, new byte[ProxyHeader.LongestBlock + 1]), V2(0x20, 0x00, new byte[65535]),
    ];

    [Theory]
    [MemberData(nameof(Good))]
    public void A_good_header_says_the_same_however_it_is_cut(string header, string source)
    {
        var bytes = Bytes(header + "GET / HTTP/1.1\r\n\r\n");
        for (var end = 0; end <= bytes.Length; end++)
        {
            var status = ProxyHeader.Parse(bytes.AsSpan(0, end), out var parsed, out var length);
            Assert.Equal(end < header.Length ? ProxyHeaderStatus.NeedMore : ProxyHeaderStatus.Done, status);
            if (status != ProxyHeaderStatus.Done)
                continue;
            Assert.Equal(header.Length, length);
            Assert.Equal(source, parsed.HasSource ? Text(parsed) : "");
        }
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public void A_bad_header_is_malformed_and_stays_so(string header)
    {
        var bytes = Bytes(header + "GET / HTTP/1.1\r\n\r\n");
        var isMalformed = false;
        for (var end = 0; end <= bytes.Length; end++)
        {
            var status = ProxyHeader.Parse(bytes.AsSpan(0, end), out var parsed, out var length);
            Assert.NotEqual(ProxyHeaderStatus.Done, status);
            Assert.Equal((default, 0), (parsed, length));
            Assert.True(!isMalformed || status == ProxyHeaderStatus.Malformed, "it was malformed, and then it was not");
            isMalformed = status == ProxyHeaderStatus.Malformed;
        }

        Assert.True(isMalformed);
    }

    [Fact]
    public void What_cannot_become_one_is_known_at_the_first_byte_that_says_so()
    {
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeader.Parse("G"u8, out _, out _));
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeader.Parse("PROXy"u8, out _, out _));
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeader.Parse("\r\n\r\nG"u8, out _, out _));
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeader.Parse(Bytes(Signature + "\x31"), out _, out _));
        Assert.Equal(ProxyHeaderStatus.Malformed, ProxyHeader.Parse(Bytes(Signature + "\x21\x11\xFF\xFF"), out _, out _));
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        var (text, binary) = (Bytes("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"), Bytes(V2(0x21, 0x11, [.. Source4, .. Extensions])));
        Allocations.AssertNone(() => _ = ProxyHeader.Parse(text, out _, out _) == ProxyHeader.Parse(binary, out _, out _));
    }

    private static string V2(byte command, byte family, byte[] block) =>
        Signature + (char)command + (char)family + (char)(block.Length >> 8) + (char)(block.Length & 0xFF) + Encoding.Latin1.GetString(block);

    private static string Text(ProxyHeader header)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, header.Address);
        var address = new IPAddress(bytes);
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, header.Port).ToString();
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
