using System.Globalization;

namespace Holdfast.Api;

/// <summary>Durations and sizes as users write them, in configuration and on the command line. Thread-safe.</summary>
public static class Units
{
    /// <summary>20 days: every duration fits 32 bits of milliseconds.</summary>
    public static TimeSpan LongestDuration { get; } = TimeSpan.FromDays(20);

    /// <summary>
    /// Reads a whole number with <c>ms</c>, <c>s</c>, <c>m</c> or <c>h</c>, or a bare <c>0</c>; from 0 to <see cref="LongestDuration"/>.
    /// </summary>
    public static bool TryParseDuration(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text is "0")
            return true;
        var digits = Digits(text);
        long unit = text[digits..] switch
        {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => 0,
        };
        if (unit == 0 || !TryParseNumber(text[..digits], out var number))
            return false;
        var longest = (long)LongestDuration.TotalMilliseconds;
        if (number > longest / unit)
            return false;
        duration = TimeSpan.FromMilliseconds(number * unit);
        return true;
    }

    /// <summary>Reads a whole number of bytes, or of <c>KiB</c>, <c>MiB</c> or <c>GiB</c>; from 0 to <see cref="long.MaxValue"/>.</summary>
    public static bool TryParseSize(ReadOnlySpan<char> text, out long bytes)
    {
        bytes = 0;
        var digits = Digits(text);
        long unit = text[digits..] switch
        {
            "" => 1,
            "KiB" => 1L << 10,
            "MiB" => 1L << 20,
            "GiB" => 1L << 30,
            _ => 0,
        };
        if (unit == 0 || !TryParseNumber(text[..digits], out var number) || number > long.MaxValue / unit)
            return false;
        bytes = number * unit;
        return true;
    }

    /// <summary>The shortest text that <see cref="TryParseDuration"/> reads back as this duration, rounded to milliseconds.</summary>
    public static string Format(TimeSpan duration)
    {
        var ms = (long)Math.Round(duration.TotalMilliseconds);
        return ms switch
        {
            0 => "0s",
            _ when ms % 3_600_000 == 0 => Join(ms / 3_600_000, "h"),
            _ when ms % 60_000 == 0 => Join(ms / 60_000, "m"),
            _ when ms % 1_000 == 0 => Join(ms / 1_000, "s"),
            _ => Join(ms, "ms"),
        };
    }

    private static string Join(long number, string unit) => number.ToString(CultureInfo.InvariantCulture) + unit;

    private static int Digits(ReadOnlySpan<char> text)
    {
        var end = text.IndexOfAnyExceptInRange('0', '9');
        return end < 0 ? text.Length : end;
    }

    private static bool TryParseNumber(ReadOnlySpan<char> digits, out long number) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
