using System.Globalization;
using System.Text;

namespace Holdfast.Cli.Load;

/// <summary>The progress line and the report as people read them.</summary>
internal static class LoadText
{
    public static string Progress(LoadProgress now, LoadProgress before, double seconds, LoadOptions options, bool started)
    {
        if (!started)
        {
            return string.Create(CultureInfo.InvariantCulture,
                $"connecting: {now.Opened} of {options.Connections} open, {now.InHandshake} in handshake");
        }

        var text = string.Create(CultureInfo.InvariantCulture,
            $"{seconds:0}s  {now.Open} open  {now.Sent:N0} sent  {now.Received:N0} received ({now.Received - before.Received:N0}/s)");
        if (now.Latency.Count > 0)
        {
            text += string.Create(CultureInfo.InvariantCulture,
                $"  p50 {now.Latency.Percentile(50) / 1000.0:0.00} ms  p99 {now.Latency.Percentile(99) / 1000.0:0.00} ms");
        }

        return text + string.Create(CultureInfo.InvariantCulture, $"  faults {now.Faults}  disconnects {now.Disconnects}");
    }

    public static string Report(LoadReport report)
    {
        var text = new StringBuilder();
        void Line(string name, FormattableString value) => text.Append(name.PadRight(14)).AppendLine(value.ToString(CultureInfo.InvariantCulture));

        Line("url", $"{report.Url}  (check: {report.Check}{(report.Interrupted ? "; interrupted" : "")})");
        Line("connections", $"{report.Connected:N0} of {report.Connections:N0}{Reasons("  failed: ", report.Failed)}");
        Line("messages", $"{report.Sent:N0} sent, {report.Received:N0} received in {report.Seconds:0.0} s");
        Line("rate", $"{report.AchievedRate:N1}/s of {report.OfferedRate:N1}/s");
        if (report.LatencyMs is { } latency)
        {
            Line("latency",
                $"p50 {latency.P50:0.000}  p90 {latency.P90:0.000}  p99 {latency.P99:0.000}  p99.9 {latency.P999:0.000}  max {latency.Max:0.000} ms");
        }

        if (report.LongestSilenceMs is { } silence)
            Line("silence", $"at most {silence:0.0} ms between two messages of a connection");
        Line("lost", $"{report.Lost:N0}{(report.LostWithConnection > 0 ? $" ({report.LostWithConnection:N0} with their connection)" : "")}");
        Line("duplicated", $"{report.Duplicated:N0}");
        Line("reordered", $"{report.Reordered:N0}");
        Line("corrupted", $"{report.Corrupted:N0}");
        Line("disconnects", $"{report.Disconnects:N0}{Reasons("  close codes: ", report.CloseCodes)}");
        if (report.NotSent > 0)
            Line("not sent", $"{report.NotSent:N0} were due while the server did not read");
        if (!report.Exact)
            Line("note", $"a connection missed too many messages to tell every duplicate from a reorder");
        if (report.Check == "echo" && report.OfferedRate > 0)
        {
            var lag = report.Schedule;
            if (lag.Kept)
                Line("schedule", $"kept (sent late by p99 {lag.P99LagMs:0.000}, max {lag.MaxLagMs:0.000} ms)");
            else
                Line("SCHEDULE",
                    $"NOT KEPT: THIS PROGRAM WAS THE BOTTLENECK, LATE BY p99 {lag.P99LagMs:0.0}, max {lag.MaxLagMs:0.0} ms (in the latencies)");
        }

        return text.ToString();
    }

    private static string Reasons(string title, IReadOnlyDictionary<string, long> counts) =>
        counts.Count == 0 ? "" : title + string.Join(", ", counts.Select(c => string.Create(CultureInfo.InvariantCulture, $"{c.Key} x{c.Value}")));
}
