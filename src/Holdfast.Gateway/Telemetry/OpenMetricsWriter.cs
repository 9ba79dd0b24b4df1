using System.Globalization;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Holdfast.Gateway.Telemetry;

/// <summary>Which of the two text formats to print.</summary>
internal enum MetricsFormat
{
    /// <summary>Prometheus text 0.0.4.</summary>
    Prometheus,

    /// <summary>OpenMetrics 1.0.</summary>
    OpenMetrics,
}

/// <summary>
/// The text of metrics. Sample lines are the same in both formats; the lines about a family differ: OpenMetrics names a counter's family
/// without <c>_total</c>, has units, escapes quotation marks in help, and ends with EOF (OpenMetrics 1.0, "Text format").
/// </summary>
internal static class OpenMetricsWriter
{
    public static string ContentType(MetricsFormat format) => format == MetricsFormat.OpenMetrics
        ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
        : "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>HELP, TYPE and UNIT of a family.</summary>
    public static void WriteHead(TextBuffer text, MetricFamily family, MetricsFormat format)
    {
        var isOpenMetrics = format == MetricsFormat.OpenMetrics;
        var name = !isOpenMetrics && family.Kind == MetricKind.Counter ? family.Name + "_total" : family.Name;
        text.Append("# TYPE "u8);
        text.Append(name);
        text.Append(family.Kind switch { MetricKind.Counter => " counter\n"u8, MetricKind.Histogram => " histogram\n"u8, _ => " gauge\n"u8 });
        if (isOpenMetrics && family.Unit is { } unit)
        {
            text.Append("# UNIT "u8);
            text.Append(name);
            text.Append(" "u8);
            text.Append(unit);
            text.Append("\n"u8);
        }

        text.Append("# HELP "u8);
        text.Append(name);
        text.Append(" "u8);
        text.AppendEscaped(family.Help, quotes: isOpenMetrics);
        text.Append("\n"u8);
    }

    /// <summary><c>key="value",…</c> without braces.</summary>
    public static void WriteLabels(TextBuffer text, ReadOnlySpan<Tag> tags)
    {
        for (var i = 0; i < tags.Length; i++)
        {
            if (i > 0)
                text.Append(","u8);
            text.Append(Sanitize(tags[i].Key));
            text.Append("=\""u8);
            text.AppendEscaped(Convert.ToString(tags[i].Value, CultureInfo.InvariantCulture) ?? "", quotes: true);
            text.Append("\""u8);
        }
    }

    /// <summary>A sample's name and labels, up to the value.</summary>
    public static void WriteSample(TextBuffer text, string name, ReadOnlySpan<byte> suffix, ReadOnlySpan<byte> labels, string? le = null)
    {
        text.Append(name);
        text.Append(suffix);
        if (!labels.IsEmpty || le is not null)
        {
            text.Append("{"u8);
            text.Append(labels);
            if (le is not null)
            {
                text.Append(labels.IsEmpty ? "le=\""u8 : ",le=\""u8);
                text.Append(le);
                text.Append("\""u8);
            }

            text.Append("}"u8);
        }

        text.Append(" "u8);
    }

    /// <summary>A bucket's bound as OpenMetrics wants it: a float that is seen to be one.</summary>
    public static string Bound(double bound)
    {
        if (double.IsPositiveInfinity(bound))
            return "+Inf";
        var text = bound.ToString(CultureInfo.InvariantCulture);
        return text.AsSpan().IndexOfAny('.', 'E') < 0 ? text + ".0" : text;
    }

    /// <summary>Letters, digits and underscores; never a digit first.</summary>
    public static string Sanitize(string name)
    {
        var isValid = name.Length > 0 && !char.IsAsciiDigit(name[0]);
        foreach (var c in name)
            isValid &= char.IsAsciiLetterOrDigit(c) || c == '_';
        if (isValid)
            return name;
        var text = string.Create(name.Length, name, static (span, from) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = char.IsAsciiLetterOrDigit(from[i]) ? from[i] : '_';
        });
        return text.Length == 0 || char.IsAsciiDigit(text[0]) ? "_" + text : text;
    }
}
