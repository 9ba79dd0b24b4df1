namespace Holdfast.Manifests.Linting.Reading;

/// <summary>A text that holds manifests: a file, or what was piped in. Immutable.</summary>
/// <param name="name">As the user named it; <see cref="StandardInput"/> for what was piped in.</param>
/// <param name="isFile">An edit can be written back.</param>
internal sealed class SourceText(string name, string text, bool isFile = true)
{
    /// <summary>How piped input is called in findings.</summary>
    public const string StandardInput = "stdin";

    /// <summary>The largest text that is read, in bytes: 32 MiB. The largest rendered charts stay under 10 MiB.</summary>
    public const int MaxBytes = 32 * 1024 * 1024;

    private int[]? _lineStarts;

    public string Name { get; } = name;

    public string Text { get; } = text;

    /// <summary>Holds an action of Go's templates, such as <c>{{ .Values.name }}</c> or <c>{{- if</c>; flow mappings in each other are none.</summary>
    public bool HasTemplateAction
    {
        get
        {
            for (var at = Text.IndexOf("{{", StringComparison.Ordinal); at >= 0; at = Text.IndexOf("{{", at + 1, StringComparison.Ordinal))
            {
                if (Text.AsSpan(at + 2).TrimStart("- ") is [var next, ..] && (char.IsAsciiLetter(next) || next is '.' or '$' or '/' or '(' or '`'))
                    return true;
            }

            return false;
        }
    }

    /// <summary>The same text after an edit.</summary>
    public SourceText With(string text) => new(Name, text, IsFile);

    /// <summary>The folder, with a trailing slash; empty for piped input and for files named without one.</summary>
    public string Folder { get; } = name[..(name.LastIndexOf('/') + 1)];

    public bool IsFile { get; } = isFile;

    /// <summary>How a break of lines is written here: what an edit inserts must not mix them.</summary>
    public string NewLine => Text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";

    /// <summary>Written as JSON: what an edit inserts must be quoted.</summary>
    public bool IsJson { get; } = text.AsSpan().TrimStart("\uFEFF \t\r\n") is ['{', .. var rest] && rest.TrimStart(" \t\r\n") is ['"', ..] or ['}', ..];

    /// <summary>Where the line that holds this offset starts.</summary>
    public int LineStart(int offset)
    {
        var starts = LineStarts();
        var index = Array.BinarySearch(starts, offset);
        return starts[index < 0 ? ~index - 1 : index];
    }

    /// <summary>The offset behind the last character of the line, before its break.</summary>
    public int LineEnd(int offset)
    {
        var end = Text.IndexOf('\n', offset);
        if (end < 0)
            return Text.Length;
        return end > offset && Text[end - 1] == '\r' ? end - 1 : end;
    }

    private int[] LineStarts()
    {
        if (_lineStarts is not null)
            return _lineStarts;
        var starts = new List<int> { 0 };
        for (var at = Text.IndexOf('\n', StringComparison.Ordinal); at >= 0; at = Text.IndexOf('\n', at + 1))
            starts.Add(at + 1);
        return _lineStarts = [.. starts];
    }
}
