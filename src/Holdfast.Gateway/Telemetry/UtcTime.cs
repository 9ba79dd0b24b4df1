using System.Globalization;

namespace Holdfast.Gateway.Telemetry;

/// <summary>ISO 8601, UTC, milliseconds: how the access log and the admin API write times.</summary>
internal static class UtcTime
{
    public const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString(Format, CultureInfo.InvariantCulture);
}
