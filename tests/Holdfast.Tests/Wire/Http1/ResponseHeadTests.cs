using System.Text;
using Holdfast.Wire.Http1;
using Xunit;

namespace Holdfast.Tests.Wire.Http1;

public sealed class ResponseHeadTests
{
    private const string Upgrade =
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive\r\nConnection: x, Upgrade\r\n"
        + "Sec-WebSocket-Accept: \t s3pPLMBiTxaQ9kYGzzhZRbK+xOo= \r\nSec-WebSocket-Protocol: chat\r\nEmpty:\r\n\r\n";

    [Fact]
    public void An_upgrade_answer_is_read()
    {
        byte[] bytes = Bytes(Upgrade);
        Assert.Equal(ResponseFault.None, ResponseHead.TryParse(bytes, out ResponseHead head));
        Assert.True(head.IsHttp11);
        Assert.Equal(101, head.Status);
        Assert.Equal("Switching Protocols", Text(head.Reason));
        Assert.Equal(BodyFraming.None, head.Framing);
        Assert.Equal(2, head.Count(ResponseHeader.Connection));
        Assert.Equal("keep-alive", Text(head.First(ResponseHeader.Connection)));
        Assert.True(head.Lists(ResponseHeader.Connection, "upgrade"u8));
        Assert.True(head.Lists(ResponseHeader.Upgrade, "websocket"u8));
        Assert.False(head.Lists(ResponseHeader.Upgrade, "upgrade"u8));
        Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Text(head.First(ResponseHeader.SecWebSocketAccept)));
        Assert.Equal(0, head.Count(ResponseHeader.SecWebSocketExtensions));
        Assert.True(head.First(ResponseHeader.SecWebSocketExtensions).IsEmpty);

        var names = new List<string>();
        foreach (HeaderLine line in head)
            names.Add(Text(line.Name));
        Assert.Equal(["upgrade", "Connection", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Empty"], names);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n", BodyFraming.Length, 12)]
    [InlineData("HTTP/1.1 503 Busy\r\nTransfer-Encoding: CHUNKED\r\n\r\n", BodyFraming.Chunked, -1)]
    [InlineData("HTTP/1.1 404 Not Found\r\n\r\n", BodyFraming.UntilEnd, -1)]
    [InlineData("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", BodyFraming.Length, 0)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", BodyFraming.None, -1)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 12\r\n\r\n", BodyFraming.None, 12)]
    [InlineData("HTTP/1.1 200\r\n\r\n", BodyFraming.UntilEnd, -1)]
    [InlineData("HTTP/1.1 200 \r\n\r\n", BodyFraming.UntilEnd, -1)]
    public void The_framing_of_the_body_is_told(string text, BodyFraming framing, long length)
    {
        Assert.Equal(ResponseFault.None, ResponseHead.TryParse(Bytes(text), out ResponseHead head));
        Assert.Equal((framing, length), (head.Framing, head.ContentLength));
    }

    [Theory]
    [InlineData("", ResponseFault.NotWhole)]
    [InlineData("HTTP/1.1 200 OK\r\n", ResponseFault.NotWhole)]
    [InlineData("HTTP/1.1 200 OK\r\n\r\nmore", ResponseFault.NotWhole)]
    [InlineData("\r\n\r\n", ResponseFault.Version)]
    [InlineData("HTTP/1.1 200 OK\nA: b\r\n\r\n", ResponseFault.ControlByte)]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", ResponseFault.ControlByte)]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n", ResponseFault.ControlByte)]
    [InlineData("HTTP/1.1 200 O\u007FK\r\n\r\n", ResponseFault.ControlByte)]
    [InlineData("HTTP/1.2 200 OK\r\n\r\n", ResponseFault.Version)]
    [InlineData("HTTP/2 200 OK\r\n\r\n", ResponseFault.Version)]
    [InlineData("http/1.1 200 OK\r\n\r\n", ResponseFault.Version)]
    [InlineData("HTTP/1.11 200 OK\r\n\r\n", ResponseFault.Version)]
    [InlineData("ICY 200 OK\r\n\r\n", ResponseFault.Version)]
    [InlineData("HTTP/1.1\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 \r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 20\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 20 OK\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 2000 OK\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1  200 OK\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 099 OK\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 +20 OK\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 200\tOK\r\n\r\n", ResponseFault.Status)]
    [InlineData("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", ResponseFault.FoldedLine)]
    [InlineData("HTTP/1.1 200 OK\r\n\tA: b\r\n\r\n", ResponseFault.FoldedLine)]
    [InlineData("HTTP/1.1 200 OK\r\nA\r\n\r\n", ResponseFault.ColonMissing)]
    [InlineData("HTTP/1.1 200 OK\r\n: b\r\n\r\n", ResponseFault.Name)]
    [InlineData("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", ResponseFault.Name)]
    [InlineData("HTTP/1.1 200 OK\r\nA(: b\r\n\r\n", ResponseFault.Name)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", ResponseFault.SeveralContentLengths)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", ResponseFault.ContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", ResponseFault.ContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", ResponseFault.ContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n", ResponseFault.ContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ResponseFault.TransferEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", ResponseFault.TransferEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ResponseFault.TransferEncoding)]
    [InlineData("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ResponseFault.TransferEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", ResponseFault.LengthAndEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ResponseFault.LengthAndEncoding)]
    public void What_two_readers_may_read_differently_is_refused(string text, ResponseFault expected) =>
        Assert.Equal(expected, ResponseHead.TryParse(Bytes(text), out _));

    [Fact]
    public void Every_truncation_of_a_head_is_not_whole()
    {
        byte[] head = Bytes(Upgrade);
        for (int length = 0; length < head.Length; length++)
            Assert.Equal(ResponseFault.NotWhole, ResponseHead.TryParse(head.AsSpan(0, length), out _));
    }

    [Fact]
    public void A_count_does_not_overflow_into_its_neighbour()
    {
        byte[] head = Bytes("HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Repeat("Connection: a\r\n", 300)) + "\r\n");
        Assert.Equal(ResponseFault.None, ResponseHead.TryParse(head, out ResponseHead parsed));
        Assert.Equal((255, 0), (parsed.Count(ResponseHeader.Connection), parsed.Count(ResponseHeader.Upgrade)));
    }

    [Fact]
    public void Reading_a_head_allocates_nothing()
    {
        byte[] head = Bytes(Upgrade);
        Allocations.AssertNone(() =>
        {
            ResponseHead.TryParse(head, out ResponseHead parsed);
            parsed.Lists(ResponseHeader.Connection, "upgrade"u8);
            parsed.First(ResponseHeader.SecWebSocketAccept);
            HeadRules.IsHost("[2001:db8::1]:8080"u8);
        });
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);
}
