using System.Net;
using System.Text;
using Holdfast.Wire.Http1;
using Xunit;

namespace Holdfast.Tests.Wire.Http1;

public sealed class HeadRulesTests
{
    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", true)]
    [InlineData("\r\n\r\n", true)]
    [InlineData("", true)]
    [InlineData("a\nb", false)]
    [InlineData("a\r\n\nb", false)]
    [InlineData("a\rb", false)]
    [InlineData("a\r", false)]
    [InlineData("a\r\r\n", false)]
    [InlineData("a\0b", false)]
    [InlineData("a\u0001b", false)]
    [InlineData("a\u007Fb", false)]
    [InlineData("caf\u00E9", true)]
    public void Only_CR_LF_pairs_and_tabs_are_allowed_of_all_control_bytes(string head, bool expected) =>
        Assert.Equal(expected, HeadRules.CrLfOnly(Bytes(head)));

    [Fact]
    public void Every_byte_is_judged_by_the_RFCs_lists()
    {
        const string tokenMarks = "!#$%&'*+-.^_`|~";
        for (int b = 0; b < 256; b++)
        {
            char c = (char)b;
            byte[] text = [(byte)'a', (byte)b, (byte)'z'];
            bool control = (b < 32 && b != '\t') || b == 127;
            Assert.Equal(char.IsAsciiLetterOrDigit(c) || tokenMarks.Contains(c, StringComparison.Ordinal), HeadRules.IsToken(text));
            Assert.Equal(!control, HeadRules.IsFieldValue(text));
            Assert.Equal(b is > 32 and < 127 && c != '#', HeadRules.IsRequestTarget(text));
        }

        Assert.False(HeadRules.IsToken([]));
        Assert.False(HeadRules.IsRequestTarget([]));
        Assert.True(HeadRules.IsFieldValue([]));
    }

    [Theory]
    [InlineData("0", 0L)]
    [InlineData("0005", 5L)]
    [InlineData("0000000000000000005", 5L)]
    [InlineData("00000000000000000005", null)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775808", null)]
    [InlineData("18446744073709551621", null)]
    [InlineData("99999999999999999999999", null)]
    [InlineData("", null)]
    [InlineData("+5", null)]
    [InlineData("-5", null)]
    [InlineData("5, 5", null)]
    [InlineData(" 5", null)]
    [InlineData("0x5", null)]
    [InlineData("\u00B2", null)]
    public void A_Content_Length_is_digits_without_overflow(string value, long? expected)
    {
        Assert.Equal(expected.HasValue, HeadRules.TryParseContentLength(Bytes(value), out long length));
        Assert.Equal(expected ?? 0, length);
    }

    [Theory]
    [InlineData("Upgrade", true)]
    [InlineData("keep-alive, UPGRADE", true)]
    [InlineData("\tupgrade ,x", true)]
    [InlineData("x,,upgrade", true)]
    [InlineData("upgrades", false)]
    [InlineData("up grade", false)]
    [InlineData("\"upgrade\"", false)]
    [InlineData("", false)]
    public void A_token_is_found_in_a_list_in_any_case(string list, bool expected) =>
        Assert.Equal(expected, HeadRules.ContainsToken(Bytes(list), "upgrade"u8));

    [Theory]
    [InlineData("chat.example.com", true)]
    [InlineData("chat.example.com:8080", true)]
    [InlineData("a_b-c~d", true)]
    [InlineData("xn--caf-dma.example", true)]
    [InlineData("a%20b", true)]
    [InlineData("a:0", true)]
    [InlineData("a:65535", true)]
    [InlineData("127.0.0.1:80", true)]
    [InlineData("[::1]", true)]
    [InlineData("[::1]:443", true)]
    [InlineData("[2001:db8::7:8]", true)]
    [InlineData("[::ffff:192.0.2.1]", true)]
    [InlineData("", false)]
    [InlineData(":80", false)]
    [InlineData("a:", false)]
    [InlineData("a:65536", false)]
    [InlineData("a:+1", false)]
    [InlineData("a:1:2", false)]
    [InlineData("a:000001", false)]
    [InlineData("a%2", false)]
    [InlineData("a%zz", false)]
    [InlineData("user@a", false)]
    [InlineData("a/b", false)]
    [InlineData("a b", false)]
    [InlineData("a#b", false)]
    [InlineData("caf\u00E9", false)]
    [InlineData("a\0", false)]
    [InlineData("[::1", false)]
    [InlineData("[]", false)]
    [InlineData("[::1]x", false)]
    [InlineData("[1::2::3]", false)]
    [InlineData("[1:2:3:4:5:6:7]", false)]
    [InlineData("[1:2:3:4:5:6:7::8]", false)]
    [InlineData("[1:2:3:4:5:6:7:8:9]", false)]
    [InlineData("[12345::]", false)]
    [InlineData("[:1]", false)]
    [InlineData("[1:]", false)]
    [InlineData("[::1:]", false)]
    [InlineData("[1:2:3:4:5:6:7:8:]", false)]
    [InlineData("[::1.2.3]", false)]
    [InlineData("[::01.2.3.4]", false)]
    [InlineData("[::256.2.3.4]", false)]
    [InlineData("[1.2.3.4::]", false)]
    [InlineData("[fe80::1%25eth0]", false)]
    [InlineData("[v1.a]", false)]
    public void A_host_is_a_name_or_an_address_and_perhaps_a_port(string host, bool expected) =>
        Assert.Equal(expected, HeadRules.IsHost(Bytes(host)));

    [Fact]
    public void Every_address_the_framework_prints_is_a_host()
    {
        var random = new Random(6);
        byte[] address = new byte[16];
        for (int i = 0; i < 5000; i++)
        {
            random.NextBytes(address);
            for (int zeros = random.Next(16); zeros > 0; zeros--)
                address[random.Next(16)] = 0;
            Assert.True(HeadRules.IsHost(Bytes($"[{new IPAddress(address)}]:{random.Next(65536)}")));
        }
    }

    [Fact]
    public void The_end_of_a_head_is_found_in_any_pieces()
    {
        byte[] head = Bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next\r\n\r\n");
        int end = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".Length;
        Assert.Equal(end, HeadEnd.Find(head, 0));
        for (int cut = 0; cut < end; cut++)
        {
            Assert.Equal(-1, HeadEnd.Find(head.AsSpan(0, cut), 0));
            Assert.Equal(end, HeadEnd.Find(head, cut));
        }

        Assert.Equal(-1, HeadEnd.Find("a\n\nb\r\r\n"u8, 0));
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
