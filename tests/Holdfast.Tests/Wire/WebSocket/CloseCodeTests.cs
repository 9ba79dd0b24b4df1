using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Wire.WebSocket;

public sealed class CloseCodeTests
{
    [Fact]
    public void The_codes_that_may_be_sent_are_those_of_the_registry_and_the_private_ranges()
    {
        int[] registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
        for (int code = 0; code <= ushort.MaxValue; code++)
            Assert.Equal(registered.Contains(code) || (code >= 3000 && code < 5000), CloseCodes.MayBeSent((ushort)code));
    }

    [Fact]
    public void Every_named_code_may_be_sent_but_the_three_that_stand_for_none()
    {
        foreach (CloseCode code in Enum.GetValues<CloseCode>())
            Assert.Equal(code is not (CloseCode.NoStatus or CloseCode.Abnormal or CloseCode.TlsHandshake), CloseCodes.MayBeSent((ushort)code));
    }

    [Fact]
    public void An_empty_payload_has_no_code()
    {
        Assert.True(ClosePayload.TryParse([], out ushort code, out ReadOnlySpan<byte> reason));
        Assert.Equal(0, code);
        Assert.True(reason.IsEmpty);
    }

    [Theory]
    [InlineData(new byte[] { 0x03 })]
    [InlineData(new byte[] { 0x03, 0xED })]
    [InlineData(new byte[] { 0x03, 0xE8, 0xC3 })]
    [InlineData(new byte[] { 0x03, 0xE8, 0xED, 0xA0, 0x80 })]
    [InlineData(new byte[] { 0x03, 0xE8, 0xC0, 0x80 })]
    [InlineData(new byte[] { 0x00, 0x00 })]
    public void A_malformed_payload_is_refused(byte[] payload) => Assert.False(ClosePayload.TryParse(payload, out _, out _));
}
