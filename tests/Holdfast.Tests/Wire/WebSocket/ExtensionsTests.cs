using System.Text;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Wire.WebSocket;

public sealed class ExtensionsTests
{
    [Theory]
    [InlineData("", ReservedBits.Refused)]
    [InlineData(" ,\t, ", ReservedBits.Refused)]
    [InlineData("permessage-deflate", ReservedBits.CompressionOnly)]
    [InlineData("permessage-deflate; server_no_context_takeover; client_max_window_bits=15", ReservedBits.CompressionOnly)]
    [InlineData("permessage-deflate; server_max_window_bits=\"10\" ,", ReservedBits.CompressionOnly)]
    [InlineData("permessage-deflate; odd=\"a, b; \\\" c\"", ReservedBits.CompressionOnly)]
    [InlineData("permessage-deflate, x-private", ReservedBits.NotJudged)]
    [InlineData("x-private; permessage-deflate", ReservedBits.NotJudged)]
    [InlineData("permessage-deflate2", ReservedBits.NotJudged)]
    [InlineData("; permessage-deflate", ReservedBits.NotJudged)]
    public void The_accepted_extensions_decide_how_reserved_bits_are_judged(string value, ReservedBits expected) =>
        Assert.Equal(expected, Extensions.Judge((ReadOnlySpan<byte>)Encoding.ASCII.GetBytes(value)));

    [Theory]
    [InlineData("", ReservedBits.Refused)]
    [InlineData("Sec-WebSocket-Extensions: permessage-deflate\r\nsec-websocket-extensions:\r\n", ReservedBits.CompressionOnly)]
    [InlineData("Sec-WebSocket-Extensions: x-private\r\nSec-WebSocket-Extensions: permessage-deflate\r\n", ReservedBits.NotJudged)]
    public void The_laxest_of_several_lines_counts(string lines, ReservedBits expected)
    {
        byte[] head = Encoding.ASCII.GetBytes("HTTP/1.1 101 Switching Protocols\r\n" + lines + "\r\n");
        Assert.Equal(ResponseFault.None, ResponseHead.TryParse(head, out ResponseHead response));
        Assert.Equal(expected, Extensions.Judge(in response));
    }
}
