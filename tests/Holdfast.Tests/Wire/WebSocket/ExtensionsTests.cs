using System.Text;
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
        Assert.Equal(expected, Extensions.Judge(Encoding.ASCII.GetBytes(value)));
}
