using System.Text;

namespace Holdfast.Cli.Dev;

/// <summary>Splits a child's output into lines of bounded length.</summary>
internal static class LineReader
{
    /// <summary>Longer lines are cut into several, so that output without line ends takes no unbounded memory.</summary>
    internal const int MaxLineLength = 4096;

    /// <summary>Reads to the end; a broken or closed stream counts as its end.</summary>
    public static async Task ReadAllAsync(TextReader reader, Action<string> onLine)
    {
        var buffer = new char[MaxLineLength];
        var line = new StringBuilder();
        try
        {
            int read;
            while ((read = await reader.ReadAsync(buffer.AsMemory())) > 0)
                Split(buffer.AsSpan(0, read), line, onLine);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // What was read before still counts.
        }

        if (line.Length > 0)
            onLine(line.ToString());
    }

    private static void Split(ReadOnlySpan<char> text, StringBuilder line, Action<string> onLine)
    {
        foreach (var c in text)
        {
            if (c != '\n')
                line.Append(c);
            if (c != '\n' && line.Length < MaxLineLength)
                continue;
            if (line.Length > 0 && line[^1] == '\r')
                line.Length--;
            onLine(line.ToString());
            line.Clear();
        }
    }
}
