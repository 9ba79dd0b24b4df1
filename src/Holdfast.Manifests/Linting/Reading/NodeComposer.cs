using Holdfast.Api.Yaml;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Holdfast.Manifests.Linting.Reading;

/// <summary>
/// Builds nodes from the parser's events for one part of a text. More lenient than the reader of the gateway's configuration, because manifests
/// are judged as Kubernetes reads them: tags are passed over, aliases and merge keys resolved, repeated keys kept. What a text may cost is bounded.
/// </summary>
internal sealed class NodeComposer
{
    /// <summary>Of one document. Custom resource definitions, the deepest of real manifests, stay under 50.</summary>
    public const int MaxDepth = 100;

    /// <summary>
    /// Of one text, aliases counted as often as they are used, so nested ones cannot multiply: about 20,000 objects of usual size.
    /// </summary>
    public const int MaxNodes = 2_000_000;

    private readonly Dictionary<string, Node> _anchors = new(StringComparer.Ordinal);
    private readonly SourceText _source;
    private readonly DocumentRange _range;
    private readonly Parser _parser;
    private readonly ComposeBudget _budget;

    /// <summary>Offset behind the value composed last, as it is written there.</summary>
    private int _end;

    private NodeComposer(SourceText source, DocumentRange range, ComposeBudget budget)
    {
        (_source, _range, _budget) = (source, range, budget);
        _parser = new Parser(new StringReader(source.Text[range.Start..range.End]));
    }

    /// <summary>
    /// Composes the documents of a range: one, unless a bare carriage return breaks lines. What could be composed before a fault is not
    /// returned: half a document would be judged for what it lacks.
    /// </summary>
    public static (IReadOnlyList<Node> Roots, YamlFault? Fault) Compose(SourceText source, DocumentRange range, ComposeBudget budget)
    {
        var text = source.Text.AsSpan(range.Start, range.End - range.Start);
        if (text.ContainsAnyInRange('\0', '\u001F') && YamlComposer.FindUnreadable(text.ToString()) is { } unreadable)
            return ([], unreadable with { Line = unreadable.Line + range.Line - 1 });
        var composer = new NodeComposer(source, range, budget);
        try
        {
            return (composer.Documents(), null);
        }
        catch (ComposeException e)
        {
            return ([], e.Fault);
        }
        catch (YamlException e)
        {
            return ([], composer.Fault(e.Start, "not valid YAML: " + YamlComposer.Reason(e)));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or OverflowException)
        {
            // The library's scanner trips over some broken texts instead of refusing them; the fault lies after the last event it gave.
            return ([], composer.Fault(composer._parser.Current?.End ?? Mark.Empty, "not valid YAML: cannot be read after here; is a bracket or a quote left open?"));
        }
    }

    private List<Node> Documents()
    {
        var roots = new List<Node>(1);
        while (_parser.MoveNext())
        {
            if (_parser.Current is not DocumentStart)
                continue;
            _anchors.Clear();
            _parser.MoveNext();
            roots.Add(Compose(depth: 0));
        }

        return roots;
    }

    /// <summary>Composes the node that starts at the current event and leaves the parser on its last event.</summary>
    private Node Compose(int depth)
    {
        var current = _parser.Current!;
        if (depth > MaxDepth)
            throw Fail(current, FormattableString.Invariant($"nested more than {MaxDepth} levels deep"));
        if (current is AnchorAlias alias)
        {
            _end = Offset(alias.End);
            return Resolve(alias);
        }

        Count(current, 1);
        var node = current switch
        {
            Scalar scalar => Scalar(scalar),
            SequenceStart start => Sequence(start, depth),
            MappingStart start => Mapping(start, depth),
            _ => throw Fail(current, "unexpected content"),
        };
        // Registered when complete, so that no node can contain itself.
        if (((NodeEvent)current).Anchor is { IsEmpty: false } anchor)
            _anchors[anchor.Value] = node;
        _end = node.End;
        return node;
    }

    private Node Scalar(Scalar scalar) => new(NodeKind.Scalar, _source)
    {
        Start = Offset(scalar.Start),
        End = scalar.Style is ScalarStyle.Literal or ScalarStyle.Folded ? LastCharacter(Offset(scalar.Start), Offset(scalar.End)) : Offset(scalar.End),
        Line = Line(scalar.Start),
        Column = Column(scalar.Start),
        Text = scalar.IsKey ? _budget.Share(scalar.Value) : scalar.Value,
        Form = scalar.Style switch
        {
            ScalarStyle.SingleQuoted => ScalarForm.SingleQuoted,
            ScalarStyle.DoubleQuoted => ScalarForm.DoubleQuoted,
            ScalarStyle.Literal or ScalarStyle.Folded => ScalarForm.Block,
            _ => ScalarForm.Plain,
        },
    };

    /// <summary>The scanner ends a block scalar behind the blank lines and the indentation that follow it.</summary>
    private int LastCharacter(int start, int end)
    {
        while (end > start && char.IsWhiteSpace(_source.Text[end - 1]))
            end--;
        return end;
    }

    private Node Sequence(SequenceStart start, int depth)
    {
        var items = new List<Node>();
        var (size, end) = (1, Offset(start.Start));
        while (Next() is not SequenceEnd)
        {
            var item = Compose(depth + 1);
            items.Add(item);
            size += item.Size;
            end = _end;
        }

        var isFlow = start.Style == SequenceStyle.Flow;
        return new Node(NodeKind.Sequence, _source)
        {
            Start = Offset(start.Start),
            End = isFlow ? Offset(_parser.Current!.Start) + 1 : end,
            Line = Line(start.Start),
            Column = Column(start.Start),
            IsFlow = isFlow,
            Items = items,
            Size = size,
        };
    }

    private Node Mapping(MappingStart start, int depth)
    {
        var entries = new List<NodeEntry>();
        var merged = new List<Node>();
        var (size, end) = (1, Offset(start.Start));
        while (Next() is { } next and not MappingEnd)
        {
            var key = Compose(depth + 1);
            if (key.Kind != NodeKind.Scalar)
                throw Fail(next, "a key must be text, not a list or a mapping");
            Next();
            var value = Compose(depth + 1);
            if (key is { Text: "<<", Form: ScalarForm.Plain })
                merged.Add(value);
            else
                entries.Add(new NodeEntry(key, value, _end, IsMerged: false));
            size += key.Size + value.Size;
            end = _end;
        }

        var isFlow = start.Style == MappingStyle.Flow;
        foreach (var source in merged)
            Merge(source, entries);
        return new Node(NodeKind.Mapping, _source)
        {
            Start = Offset(start.Start),
            End = isFlow ? Offset(_parser.Current!.Start) + 1 : end,
            Line = Line(start.Start),
            Column = Column(start.Start),
            IsFlow = isFlow,
            Entries = entries,
            Size = size,
        };
    }

    /// <summary>As the libraries of kubectl and Helm do: a mapping, or a list of mappings of which the first wins; own keys win over all.</summary>
    private static void Merge(Node source, List<NodeEntry> entries)
    {
        if (source.Kind == NodeKind.Sequence)
        {
            foreach (var item in source.Items)
                Merge(item, entries);
            return;
        }

        source.MarkShared();
        var known = entries.Select(e => e.Key.Text).ToHashSet(StringComparer.Ordinal);
        foreach (var entry in source.Entries)
        {
            if (known.Add(entry.Key.Text))
                entries.Add(entry with { IsMerged = true });
        }
    }

    private Node Resolve(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out var node))
            throw Fail(alias, $"the anchor '&{alias.Value.Value}' is not defined before this alias");
        Count(alias, node.Size);
        node.MarkShared();
        return node;
    }

    private ParsingEvent Next() => _parser.MoveNext() ? _parser.Current! : throw new ComposeException(new YamlFault(_range.Line, 1, "not valid YAML: it ends too early"));

    private void Count(ParsingEvent at, int size)
    {
        if (size > _budget.Left)
            throw Fail(at, FormattableString.Invariant($"more than {MaxNodes} values in one text, aliases expanded"));
        _budget.Left -= size;
    }

    private int Offset(Mark mark) => (int)Math.Clamp(_range.Start + mark.Index, 0, _source.Text.Length);

    private int Line(Mark mark) => (int)Math.Clamp(mark.Line, 1, int.MaxValue - _range.Line) + _range.Line - 1;

    private static int Column(Mark mark) => (int)Math.Clamp(mark.Column, 1, int.MaxValue);

    private YamlFault Fault(Mark mark, string message) => new(Line(mark), Column(mark), message);

    private ComposeException Fail(ParsingEvent at, string message) => new(Fault(at.Start, message));

    private sealed class ComposeException(YamlFault fault) : Exception(fault.Message)
    {
        public YamlFault Fault { get; } = fault;
    }
}

/// <summary>What the documents of one text share: how many nodes it may still cost, and the keys, which repeat in every object.</summary>
internal sealed class ComposeBudget
{
    private readonly Dictionary<string, string> _keys = new(StringComparer.Ordinal);

    public int Left { get; set; } = NodeComposer.MaxNodes;

    public string Share(string key)
    {
        if (_keys.TryGetValue(key, out var known))
            return known;
        _keys.Add(key, key);
        return key;
    }
}
