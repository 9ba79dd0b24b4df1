using System.Globalization;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Reporting;

/// <summary>
/// What the clients recorded, and what was done to the replicas, for whoever wants to look behind a verdict. A line each: <c>S connection sequence due at</c>
/// (sent), <c>A connection sequence stream counter at took error</c> (answered), <c>T connection sequence at</c> (feed), <c>D connection at code</c>
/// (disconnected), <c>E process kind at</c> (end of a replica). Microseconds since 1970.
/// </summary>
internal static class EvidenceFile
{
    public static void Write(string file, Evidence evidence)
    {
        using var text = new StreamWriter(file);
        foreach (var end in evidence.Ends)
            Line($"E {end.ProcessId} {end.Kind} {end.At}");
        foreach (var connection in evidence.Connections)
        {
            for (var i = 0; i < connection.Sent.Count; i++)
                Line($"S {connection.Number} {i} {connection.Sent[i].Due} {connection.Sent[i].At}");
            foreach (var a in connection.Answers)
                Line($"A {connection.Number} {a.Sequence} {a.Stream} {a.Counter} {a.At} {a.TookMicros} {(a.IsError ? 1 : 0)}");
            foreach (var tick in connection.Ticks)
                Line($"T {connection.Number} {tick.Sequence} {tick.At}");
            foreach (var disconnect in connection.Disconnects)
                Line($"D {connection.Number} {disconnect.At} {disconnect.Code}");
        }

        void Line(FormattableString line) => text.Write(line.ToString(CultureInfo.InvariantCulture) + "\n");
    }
}
