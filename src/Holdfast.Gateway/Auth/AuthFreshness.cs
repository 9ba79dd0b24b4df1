using System.Globalization;
using System.Net.Http.Headers;

namespace Holdfast.Gateway.Auth;

/// <summary>How long an answer says that it may be used again (RFC 9111 4.2, 5.2.2): by <c>max-age</c> alone, and never where there is doubt.</summary>
internal static class AuthFreshness
{
    /// <summary>At most: whoever lost their rights waits no longer.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromMinutes(5);

    /// <summary>Zero: it is for this question alone. <c>private</c> is no obstacle: only the same client with the same headers gets it.</summary>
    public static TimeSpan Of(HttpResponseHeaders headers)
    {
        long? maxAge = null;
        foreach (var line in Values(headers, "Cache-Control"))
        {
            foreach (var part in line.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                var equals = part.IndexOf('=', StringComparison.Ordinal);
                var name = equals < 0 ? part : part[..equals];
                if (name.Equals("no-store", StringComparison.OrdinalIgnoreCase) || name.Equals("no-cache", StringComparison.OrdinalIgnoreCase))
                    return TimeSpan.Zero;
                if (!name.Equals("max-age", StringComparison.OrdinalIgnoreCase))
                    continue;
                if (maxAge is not null || equals < 0 || !TrySeconds(part[(equals + 1)..], out var seconds))
                    return TimeSpan.Zero;
                maxAge = seconds;
            }
        }

        var ages = Values(headers, "Age");
        long age = 0;
        if (maxAge is null || ages.Count > 1 || (ages.Count == 1 && !TrySeconds(ages[0], out age)) || Values(headers, "Vary").Any(static v => v.Contains('*', StringComparison.Ordinal)))
            return TimeSpan.Zero;
        return maxAge <= age ? TimeSpan.Zero : TimeSpan.FromSeconds(Math.Min(maxAge.Value - age, (long)Most.TotalSeconds));
    }

    private static bool TrySeconds(string text, out long seconds) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out seconds);

    private static List<string> Values(HttpResponseHeaders headers, string name) => headers.NonValidated.TryGetValues(name, out var values) ? [.. values] : [];
}
