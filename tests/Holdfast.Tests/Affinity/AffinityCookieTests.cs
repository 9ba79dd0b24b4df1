using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Affinity;
using Holdfast.Relay.Buffers;
using Xunit;

namespace Holdfast.Tests.Affinity;

public sealed class AffinityCookieTests
{
    private const long Now = 1_800_000_000;

    private static readonly EndpointAddress Address = new("10.1.0.11", 8080);

    private readonly AffinityCookie _cookie = New();

    [Fact]
    public void What_was_written_is_read()
    {
        var value = Write(_cookie);
        Assert.Equal(AffinityCookie.Length, value.Length);
        Assert.All(value, c => Assert.True(char.IsAsciiLetterOrDigit((char)c) || c is (byte)'-' or (byte)'_'));
        Assert.True(_cookie.TryRead(value, Now, out var tag, out _));
        Assert.Equal(_cookie.TagOf(Address), tag);
    }

    [Fact]
    public void Another_gateway_with_the_secret_reads_it() => Assert.True(New().TryRead(Write(_cookie), Now, out _, out _));

    [Fact]
    public void Whatever_bit_is_changed_it_is_none()
    {
        var value = Write(_cookie);
        for (var bit = 0; bit < value.Length * 8; bit++)
        {
            value[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(_cookie.TryRead(value, Now, out var tag, out var turn), $"bit {bit}");
            Assert.Equal((0UL, 0), (tag, turn));
            value[bit / 8] ^= (byte)(1 << (bit % 8));
        }

        Assert.True(_cookie.TryRead(value, Now, out _, out _));
    }

    [Fact]
    public void Whatever_character_is_put_anywhere_it_is_none()
    {
        var value = Write(_cookie);
        for (var at = 0; at < value.Length; at++)
        {
            for (var b = 0; b <= byte.MaxValue; b++)
            {
                var other = (byte[])value.Clone();
                other[at] = (byte)b;
                Assert.Equal(b == value[at], _cookie.TryRead(other, Now, out _, out _));
            }
        }
    }

    [Fact]
    public void Longer_and_shorter_ones_are_none()
    {
        var value = Write(_cookie);
        for (var length = 0; length < value.Length; length++)
            Assert.False(_cookie.TryRead(value.AsSpan(0, length), Now, out _, out _));
        foreach (var more in new[] { "=", "==", " ", "A", "\n" })
            Assert.False(_cookie.TryRead([.. value, .. Encoding.ASCII.GetBytes(more)], Now, out _, out _));
    }

    [Fact]
    public void It_is_good_for_its_backend_only() => Assert.False(New(backend: "other").TryRead(Write(_cookie), Now, out _, out _));

    [Fact]
    public void It_is_good_with_its_secret_only() => Assert.False(New(secret: "another secret of at least 32 bytes").TryRead(Write(_cookie), Now, out _, out _));

    [Theory]
    [InlineData(0, 3_000_000_000, true)]
    [InlineData(60, 0, true)]
    [InlineData(60, 60, true)]
    [InlineData(60, 61, false)]
    [InlineData(60, -300, true)]
    [InlineData(60, -301, false)]
    [InlineData(0, -301, false)]
    [InlineData(60, long.MaxValue - Now, false)]
    public void It_is_good_until_its_time_to_live_is_over_and_not_before_its_time(long ttl, long age, bool good) =>
        Assert.Equal(good, New(ttl: ttl).TryRead(Write(_cookie), Now + age, out _, out _));

    [Fact]
    public void A_tag_differs_by_endpoint_backend_and_secret()
    {
        ulong[] tags =
        [
            _cookie.TagOf(Address), _cookie.TagOf(Address with { Port = 8081 }), _cookie.TagOf(new EndpointAddress("10.1.0.12", 8080)),
            New(backend: "other").TagOf(Address), New(secret: "another secret of at least 32 bytes").TagOf(Address),
        ];
        Assert.Equal(tags.Length, tags.Distinct().Count());
        Assert.DoesNotContain(0UL, tags);
        Assert.Equal(tags[0], New().TagOf(Address));
    }

    [Fact]
    public void Turns_of_sessions_are_spread_evenly()
    {
        var quarters = new int[4];
        for (var second = 0; second < 4_000; second++)
        {
            Assert.True(_cookie.TryRead(Write(_cookie, Now + second), Now + second, out _, out var turn));
            quarters[turn >> 14]++;
        }

        Assert.All(quarters, q => Assert.InRange(q, 850, 1_150));
    }

    private static AffinityCookie New(string backend = "chat", string secret = "a secret of at least thirty-two bytes", long ttl = 0) =>
        new(backend, Encoding.ASCII.GetBytes(secret), ttl);

    private static byte[] Write(AffinityCookie cookie, long now = Now)
    {
        var output = new ByteBuffer();
        cookie.Write(output, cookie.TagOf(Address), now);
        return output.Bytes.ToArray();
    }
}
