namespace Holdfast.Api.Yaml;

internal enum YamlKind
{
    Scalar,
    Sequence,
    Mapping,
}

/// <summary>A YAML value with its place. Immutable once composed; an alias shares the node it names.</summary>
internal sealed class YamlNode(YamlKind kind, int line, int column)
{
    public YamlKind Kind { get; } = kind;

    /// <summary>From 1.</summary>
    public int Line { get; } = line;

    /// <summary>From 1.</summary>
    public int Column { get; } = column;

    /// <summary>A scalar's text, unquoted; empty for the other kinds.</summary>
    public string Text { get; init; } = "";

    /// <summary>A scalar without quotes: only these can mean null.</summary>
    public bool IsPlain { get; init; }

    /// <summary>A sequence's items.</summary>
    public List<YamlNode> Items { get; init; } = Empty<YamlNode>.List;

    /// <summary>A mapping's entries in order, duplicates included: the reader reports them. Keys are scalars.</summary>
    public List<KeyValuePair<YamlNode, YamlNode>> Entries { get; init; } = Empty<KeyValuePair<YamlNode, YamlNode>>.List;

    /// <summary>This node and everything below, aliases counted as often as they are used.</summary>
    public int Size { get; set; } = 1;

    /// <summary><c>key:</c> with nothing after it, <c>~</c> or <c>null</c>.</summary>
    public bool IsNull => Kind == YamlKind.Scalar && IsPlain && (Text is "" or "~" or "null" or "Null" or "NULL");

    public string KindName => Kind switch
    {
        YamlKind.Scalar => "a single value",
        YamlKind.Sequence => "a list",
        _ => "a mapping",
    };

    private static class Empty<T>
    {
        public static readonly List<T> List = new(0);
    }
}
