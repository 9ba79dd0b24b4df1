using System.Globalization;

namespace Holdfast.Cli.Rehearse.Judging;

/// <summary>
/// Reads what replicas left: files named <c>NAME.PID.journal</c>, with a line <c>M connection sequence micros</c> for each message read, and
/// <c>A connection sequence micros took</c> for each answer. A last line that a kill has cut is left out.
/// </summary>
internal static class JournalReader
{
    public const string Extension = ".journal";

    /// <exception cref="FormatException">A whole line is not of that form.</exception>
    public static IReadOnlyList<ReplicaJournal> ReadAll(string folder) =>
        [.. Directory.GetFiles(folder, "*" + Extension).Order(StringComparer.Ordinal).Select(file => Read(Path.GetFileName(file), File.ReadAllText(file)))];

    public static ReplicaJournal Read(string fileName, string text)
    {
        var parts = fileName.Split('.');
        if (parts.Length != 3 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var process))
            throw new FormatException($"{fileName}: a journal is named REPLICA.PROCESS{Extension}");
        var (read, answered) = (new List<ReadEntry>(), new List<AnsweredEntry>());
        var lines = text.Split('\n');

        // What follows the last line's end is empty, or was cut.
        for (var i = 0; i < lines.Length - 1; i++)
        {
            var words = lines[i].Split(' ');
            var numbers = words.Skip(1).Select(w => long.TryParse(w, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var n) ? n : (long?)null).ToArray();
            if (numbers.Any(n => n is null))
                throw Malformed();
            switch (words[0], numbers.Length)
            {
                case ("M", 3):
                    read.Add(new ReadEntry((int)numbers[0]!.Value, (int)numbers[1]!.Value, numbers[2]!.Value));
                    break;
                case ("A", 4):
                    answered.Add(new AnsweredEntry((int)numbers[0]!.Value, (int)numbers[1]!.Value, numbers[2]!.Value, numbers[3]!.Value));
                    break;
                default:
                    throw Malformed();
            }

            FormatException Malformed() => new(string.Create(CultureInfo.InvariantCulture, $"{fileName}, line {i + 1}: '{lines[i]}' is no journal entry"));
        }

        return new ReplicaJournal(parts[0], process, read, answered);
    }
}
