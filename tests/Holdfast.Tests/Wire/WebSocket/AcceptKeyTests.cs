using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Fuzz.WebSocket;
using Holdfast.Wire.WebSocket;
using Xunit;

namespace Holdfast.Tests.Wire.WebSocket;

public sealed class AcceptKeyTests
{
    [Fact]
    public void The_example_of_RFC_6455_comes_out()
    {
        Span<byte> accept = stackalloc byte[AcceptKey.Length];
        AcceptKey.Compute("dGhlIHNhbXBsZSBub25jZQ=="u8, accept);
        Assert.Equal("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", Encoding.ASCII.GetString(accept));
    }

    [Theory]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ==", true)]
    [InlineData("////////////////////+w==", true)]
    [InlineData("dGhlIHNhbXBsZSBub25jZR==", false)]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ", false)]
    [InlineData("dGhlIHNhbXBsZSBub25jZQ=", false)]
    [InlineData("dGhlIHNhbXBsZSBub25jZWE=", false)]
    [InlineData("dGhlIHNhbXBsZS-_b25jZQ==", false)]
    [InlineData(" dGhlIHNhbXBsZSBub25jZQ==", false)]
    [InlineData("", false)]
    public void A_key_is_the_canonical_base64_of_16_bytes(string key, bool valid) =>
        Assert.Equal(valid, AcceptKey.IsValidKey(Encoding.ASCII.GetBytes(key)));

    [Fact]
    public void Every_byte_at_every_position_of_a_key_is_judged_as_the_frameworks_base64_does()
    {
        for (int position = 0; position < AcceptKey.KeyLength; position++)
        {
            byte[] key = "dGhlIHNhbXBsZSBub25jZQ=="u8.ToArray();
            for (int b = 0; b < 256; b++)
            {
                key[position] = (byte)b;
                AcceptKeyTarget.Fuzz(key);
            }
        }
    }

    [Fact]
    [SuppressMessage("Security", "CA5350", Justification = "RFC 6455 asks for SHA-1.")]
    public void A_new_key_is_valid_and_its_accept_value_is_the_frameworks()
    {
        var random = new Random(4);
        byte[] bytes = new byte[AcceptKey.KeyBytes];
        byte[] key = new byte[AcceptKey.KeyLength];
        byte[] accept = new byte[AcceptKey.Length];
        for (int i = 0; i < 200; i++)
        {
            random.NextBytes(bytes);
            AcceptKey.NewKey(bytes, key);
            Assert.True(AcceptKey.IsValidKey(key));
            Assert.Equal(Convert.ToBase64String(bytes), Encoding.ASCII.GetString(key));
            AcceptKey.Compute(key, accept);
            byte[] hash = SHA1.HashData(Encoding.ASCII.GetBytes(Encoding.ASCII.GetString(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
            Assert.Equal(Convert.ToBase64String(hash), Encoding.ASCII.GetString(accept));
        }
    }

    [Fact]
    public void Wrong_sizes_are_an_argument_error()
    {
        Assert.Throws<ArgumentException>(() => AcceptKey.Compute("short"u8, new byte[AcceptKey.Length]));
        Assert.Throws<ArgumentException>(() => AcceptKey.Compute("dGhlIHNhbXBsZSBub25jZQ=="u8, new byte[AcceptKey.Length - 1]));
        Assert.Throws<ArgumentException>(() => AcceptKey.NewKey(new byte[15], new byte[AcceptKey.KeyLength]));
    }

    [Fact]
    public void Keys_allocate_nothing()
    {
        byte[] bytes = new byte[AcceptKey.KeyBytes];
        byte[] key = new byte[AcceptKey.KeyLength];
        byte[] accept = new byte[AcceptKey.Length];
        Allocations.AssertNone(() =>
        {
            AcceptKey.NewKey(bytes, key);
            if (AcceptKey.IsValidKey(key))
                AcceptKey.Compute(key, accept);
        });
    }
}
