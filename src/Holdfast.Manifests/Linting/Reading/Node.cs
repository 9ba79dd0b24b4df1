using System.Globalization;

namespace Holdfast.Manifests.Linting.Reading;

internal enum NodeKind
{
    Scalar,
    Sequence,
    Mapping,
}

/// <summary>One key of a mapping.</summary>
/// <param name="End">Offset behind the value as it is written here: of an alias, not of what it names.</param>
/// <param name="IsMerged">It stands elsewhere and came in by <c>&lt;&lt;</c>.</param>
internal readonly record struct NodeEntry(Node Key, Node Value, int End, bool IsMerged);

/// <summary>
/// A value of a manifest with its place. An alias is the node that it names, so a finding points at where the value is written.
/// Immutable once composed.
/// </summary>
internal sealed class Node(NodeKind kind, SourceText source)
{
    private static readonly IReadOnlyList<Node> NoItems = [];
    private static readonly IReadOnlyList<NodeEntry> NoEntries = [];

    /// <summary>Longer mappings are looked up by hash: labels and selectors are compared pair by pair.</summary>
    private const int IndexedFrom = 16;

    private Dictionary<string, int>? _index;

    public NodeKind Kind { get; } = kind;

    public SourceText Source { get; } = source;

    /// <summary>Offset of the first character, properties (anchor, tag) included.</summary>
    public int Start { get; init; }

    /// <summary>Offset behind the last character; of a block collection or scalar: behind its last value or text.</summary>
    public int End { get; init; }

    /// <summary>From 1.</summary>
    public int Line { get; init; }

    /// <summary>From 1, in UTF-16 units.</summary>
    public int Column { get; init; }

    /// <summary>A scalar's text, unquoted; empty for the other kinds.</summary>
    public string Text { get; init; } = "";

    /// <summary>How a scalar is written.</summary>
    public ScalarForm Form { get; init; }

    /// <summary>Written with brackets or braces.</summary>
    public bool IsFlow { get; init; }

    /// <summary>Other places use this node too (an anchor with aliases, a merged mapping): an edit here would change them all.</summary>
    public bool IsShared { get; private set; }

    /// <summary>This node and everything below, aliases counted as often as they are used.</summary>
    public int Size { get; init; } = 1;

    public IReadOnlyList<Node> Items { get; init; } = NoItems;

    /// <summary>In order, repeated ones included; a merged one only when its key is not written. Keys are scalars.</summary>
    public IReadOnlyList<NodeEntry> Entries { get; init; } = NoEntries;

    /// <summary><c>key:</c> with nothing after it, <c>~</c> or <c>null</c>.</summary>
    public bool IsNull => Kind == NodeKind.Scalar && Form == ScalarForm.Plain && Text is "" or "~" or "null" or "Null" or "NULL";

    /// <summary>A mapping's value; null when the key is missing, its value is null, or this is no mapping. Of repeated keys the last, as in Kubernetes.</summary>
    public Node? this[string key] => EntryOf(key) is { Value.IsNull: false } entry ? entry.Value : null;

    /// <summary>A mapping's entry, also one whose value is null.</summary>
    public NodeEntry? EntryOf(string key)
    {
        var entries = Entries;
        if (entries.Count > IndexedFrom)
            return (_index ??= Index(entries)).TryGetValue(key, out var at) ? entries[at] : null;
        for (var i = entries.Count - 1; i >= 0; i--)
        {
            if (string.Equals(entries[i].Key.Text, key, StringComparison.Ordinal))
                return entries[i];
        }

        return null;
    }

    /// <summary>The value at the end of a way through mappings.</summary>
    public Node? At(params ReadOnlySpan<string> path)
    {
        var node = this;
        foreach (var key in path)
        {
            node = node[key];
            if (node is null)
                return null;
        }

        return node;
    }

    /// <summary>A scalar's text; null for the other kinds and for null.</summary>
    public string? AsText => Kind == NodeKind.Scalar && !IsNull ? Text : null;

    public int? AsInteger => Kind == NodeKind.Scalar && int.TryParse(Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value : null;

    /// <summary>A YAML boolean; a quoted one counts, since that is what the author meant.</summary>
    public bool? AsBoolean => Kind != NodeKind.Scalar ? null : Text switch
    {
        "true" or "True" or "TRUE" => true,
        "false" or "False" or "FALSE" => false,
        _ => null,
    };

    private static Dictionary<string, int> Index(IReadOnlyList<NodeEntry> entries)
    {
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < entries.Count; i++)
            index[entries[i].Key.Text] = i;
        return index;
    }

    public void MarkShared()
    {
        if (IsShared)
            return;
        IsShared = true;
        foreach (var item in Items)
            item.MarkShared();
        foreach (var entry in Entries)
        {
            entry.Key.MarkShared();
            entry.Value.MarkShared();
        }
    }
}

internal enum ScalarForm
{
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Block,
}
