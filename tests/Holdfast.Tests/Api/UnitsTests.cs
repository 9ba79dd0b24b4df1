using Holdfast.Api;
using Xunit;

namespace Holdfast.Tests.Api;

public class UnitsTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("0s", 0)]
    [InlineData("500ms", 500)]
    [InlineData("30s", 30_000)]
    [InlineData("5m", 300_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("480h", 1_728_000_000)]
    public void Durations_are_whole_numbers_with_a_unit(string text, long milliseconds)
    {
        Assert.True(Units.TryParseDuration(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("1.5s")]
    [InlineData("-1s")]
    [InlineData("+1s")]
    [InlineData(" 1s")]
    [InlineData("1 s")]
    [InlineData("1S")]
    [InlineData("1d")]
    [InlineData("1h30m")]
    [InlineData("481h")]
    [InlineData("9223372036854775807ms")]
    [InlineData("9223372036854775807h")]
    [InlineData("99999999999999999999s")]
    [InlineData("١s")]
    public void Anything_else_is_no_duration(string text) => Assert.False(Units.TryParseDuration(text, out _));

    [Theory]
    [InlineData("0", 0)]
    [InlineData("4096", 4096)]
    [InlineData("64KiB", 65536)]
    [InlineData("1MiB", 1048576)]
    [InlineData("2GiB", 2147483648)]
    public void Sizes_are_bytes_or_binary_multiples(string text, long expected)
    {
        Assert.True(Units.TryParseSize(text, out var bytes));
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("KiB")]
    [InlineData("1kb")]
    [InlineData("1MB")]
    [InlineData("1.5MiB")]
    [InlineData("-1")]
    [InlineData("9223372036854775807GiB")]
    public void Anything_else_is_no_size(string text) => Assert.False(Units.TryParseSize(text, out _));

    [Fact]
    public void A_formatted_duration_reads_back_as_itself()
    {
        var random = new Random(1);
        for (var i = 0; i < 10_000; i++)
        {
            var duration = TimeSpan.FromMilliseconds(random.NextInt64(1_728_000_000) / (long)Math.Pow(10, random.Next(9)) * (long)Math.Pow(10, random.Next(3)));
            if (duration > Units.LongestDuration)
                continue;
            Assert.True(Units.TryParseDuration(Units.Format(duration), out var read));
            Assert.Equal(duration, read);
        }
    }
}
