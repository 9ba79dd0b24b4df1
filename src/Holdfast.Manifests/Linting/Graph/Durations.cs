using System.Buffers;
using System.Globalization;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>Durations as the field writes them in manifests.</summary>
internal static class Durations
{
    private static readonly SearchValues<char> NumberChars = SearchValues.Create("0123456789.");

    /// <summary>
    /// Go's form, which Gateway API, Istio and most controllers take: <c>1h30m</c>, <c>1.5s</c>, <c>300ms</c>, <c>0</c>. Null when it is none, or
    /// longer than 100 years.
    /// </summary>
    public static TimeSpan? Parse(string? text)
    {
        if (text is null or { Length: 0 or > 64 })
            return null;
        if (text is "0")
            return TimeSpan.Zero;
        var rest = text.AsSpan();
        var total = 0.0;
        while (rest.Length > 0)
        {
            var digits = rest.IndexOfAnyExcept(NumberChars);
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
                return null;
            rest = rest[digits..];
            var (unit, length) = rest switch
            {
                ['m', 's', ..] => (0.001, 2),
                ['u', 's', ..] or ['µ', 's', ..] => (1e-6, 2),
                ['n', 's', ..] => (1e-9, 2),
                ['h', ..] => (3600.0, 1),
                ['m', ..] => (60.0, 1),
                ['s', ..] => (1.0, 1),
                _ => (0.0, 0),
            };
            if (length == 0)
                return null;
            total += number * unit;
            rest = rest[length..];
        }

        return total <= 100.0 * 365 * 86400 ? TimeSpan.FromSeconds(total) : null;
    }

    /// <summary>nginx's form: a bare number means seconds; <c>d</c>, <c>w</c>, <c>M</c> and <c>y</c> are units too.</summary>
    public static TimeSpan? ParseNginx(string? text)
    {
        if (text is null)
            return null;
        var trimmed = text.AsSpan().Trim();
        if (long.TryParse(trimmed, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            return seconds < 100L * 365 * 86400 ? TimeSpan.FromSeconds(seconds) : null;
        if (trimmed.Length > 1 && trimmed[^1] is 'd' or 'w' or 'M' or 'y'
            && int.TryParse(trimmed[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < 1000)
        {
            return TimeSpan.FromDays(number * trimmed[^1] switch { 'd' => 1, 'w' => 7, 'M' => 30, _ => 365 });
        }

        return Parse(trimmed.ToString());
    }

    /// <summary>For a message: seconds up to two minutes, since that is how time-outs are set; larger whole units beyond.</summary>
    public static string Say(TimeSpan duration)
    {
        var seconds = duration.TotalSeconds;
        return seconds switch
        {
            >= 7200 when seconds % 3600 == 0 => Number(seconds / 3600) + " h",
            >= 120 when seconds % 60 == 0 => Number(seconds / 60) + " min",
            > 0 and < 1 => Number(duration.TotalMilliseconds) + " ms",
            _ => Number(seconds) + " s",
        };
    }

    private static string Number(double value) => value.ToString("0.###", CultureInfo.InvariantCulture);
}
