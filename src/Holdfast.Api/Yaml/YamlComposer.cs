using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Holdfast.Api.Yaml;

/// <summary>
/// Builds nodes from the parser's events. It bounds what a text may cost (characters, nodes with aliases expanded, depth) and keeps what
/// the library's own representation model throws on or drops: duplicate keys and places.
/// </summary>
internal sealed class YamlComposer
{
    /// <summary>As Kubernetes' limit for a ConfigMap: a gateway's file fits into one.</summary>
    public const int MaxCharacters = 1024 * 1024;

    /// <summary>Far above what 1,000 routes need; aliases count as often as they are used, so nested ones cannot multiply.</summary>
    public const int MaxNodes = 200_000;

    /// <summary>The schema needs 7.</summary>
    public const int MaxDepth = 32;

    private readonly Dictionary<string, YamlNode> _anchors = new(StringComparer.Ordinal);
    private readonly Parser _parser;
    private int _nodes;

    private YamlComposer(string text) => _parser = new Parser(new StringReader(text));

    /// <summary>Composes the only document of a text. Null without a fault: the text holds no value at all.</summary>
    public static (YamlNode? Root, YamlFault? Fault) Compose(string text)
    {
        if (text.Length > MaxCharacters)
            return (null, new YamlFault(1, 1, FormattableString.Invariant($"the file has {text.Length} characters; at most {MaxCharacters} (1 MiB) are read")));
        if (text.StartsWith('\uFEFF'))
            text = text[1..];
        if (FindUnreadable(text) is { } unreadable)
            return (null, unreadable);

        var composer = new YamlComposer(text);
        try
        {
            return (composer.Document(), null);
        }
        catch (ComposeException e)
        {
            return (null, e.Fault);
        }
        catch (YamlException e)
        {
            return (null, new YamlFault(Place(e.Start.Line), Place(e.Start.Column), "not valid YAML: " + Reason(e)));
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or FormatException or OverflowException)
        {
            // The library's scanner trips over some broken texts instead of refusing them; the fault lies after the last event it gave.
            var mark = composer._parser.Current?.End ?? Mark.Empty;
            return (null, new YamlFault(Place(mark.Line), Place(mark.Column), "not valid YAML: cannot be read after here; is a bracket or a quote left open?"));
        }
    }

    private YamlNode? Document()
    {
        YamlNode? root = null;
        var documents = 0;
        while (_parser.MoveNext())
        {
            switch (_parser.Current)
            {
                case DocumentStart start:
                    if (++documents > 1)
                        throw Fail(start, "a second document starts here; a configuration is one document");
                    _parser.MoveNext();
                    root = Node(depth: 0);
                    break;
                default:
                    break;
            }
        }

        return root is { IsNull: true } ? null : root;
    }

    /// <summary>Composes the node that starts at the current event and leaves the parser on its last event.</summary>
    private YamlNode Node(int depth)
    {
        var current = _parser.Current!;
        if (depth > MaxDepth)
            throw Fail(current, FormattableString.Invariant($"nested more than {MaxDepth} levels deep"));
        if (current is AnchorAlias alias)
            return Resolve(alias);

        Count(current, 1);
        if (current is NodeEvent { Tag.IsEmpty: false } tagged and not Scalar { Tag.IsNonSpecific: true })
            throw Fail(current, $"tags are not supported; remove '{tagged.Tag.Value}'");

        var node = current switch
        {
            Scalar scalar => new YamlNode(YamlKind.Scalar, Line(scalar), Column(scalar)) { Text = scalar.Value, IsPlain = scalar.Style == ScalarStyle.Plain },
            SequenceStart start => Sequence(start, depth),
            MappingStart start => Mapping(start, depth),
            _ => throw Fail(current, "unexpected content"),
        };
        // Registered when complete, so that no node can contain itself.
        if (((NodeEvent)current).Anchor is { IsEmpty: false } anchor)
            _anchors[anchor.Value] = node;
        return node;
    }

    private YamlNode Sequence(SequenceStart start, int depth)
    {
        var node = new YamlNode(YamlKind.Sequence, Line(start), Column(start)) { Items = [] };
        while (Next() is not SequenceEnd)
        {
            var item = Node(depth + 1);
            node.Items.Add(item);
            node.Size += item.Size;
        }

        return node;
    }

    private YamlNode Mapping(MappingStart start, int depth)
    {
        var node = new YamlNode(YamlKind.Mapping, Line(start), Column(start)) { Entries = [] };
        while (Next() is { } next and not MappingEnd)
        {
            var key = Node(depth + 1);
            if (key.Kind != YamlKind.Scalar)
                throw Fail(next, $"a key must be text, not {key.KindName}");
            Next();
            var value = Node(depth + 1);
            node.Entries.Add(new(key, value));
            node.Size += key.Size + value.Size;
        }

        return node;
    }

    private YamlNode Resolve(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value.Value, out var node))
            throw Fail(alias, $"the anchor '&{alias.Value.Value}' is not defined before this alias");
        Count(alias, node.Size);
        return node;
    }

    private ParsingEvent Next() => _parser.MoveNext() ? _parser.Current! : throw new ComposeException(new YamlFault(1, 1, "not valid YAML: it ends too early"));

    private void Count(ParsingEvent at, int size)
    {
        if (size > MaxNodes - _nodes)
            throw Fail(at, FormattableString.Invariant($"more than {MaxNodes} values, aliases expanded"));
        _nodes += size;
    }

    /// <summary>YAML forbids control characters, and the scanner would take a NUL for the end and ignore what follows.</summary>
    internal static YamlFault? FindUnreadable(string text)
    {
        var (line, lineStart) = (1, 0);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\n')
                (line, lineStart) = (line + 1, i + 1);
            else if (c is < ' ' and not '\t' and not '\r' or '\u007F')
                return new YamlFault(line, i - lineStart + 1, FormattableString.Invariant($"not valid YAML: the control character U+{(int)c:X4}"));
        }

        return null;
    }

    private static int Line(ParsingEvent e) => Place(e.Start.Line);

    private static int Column(ParsingEvent e) => Place(e.Start.Column);

    private static int Place(long value) => (int)Math.Clamp(value, 1, int.MaxValue);

    internal static string Reason(YamlException e)
    {
        var message = e.Message;
        if (message.Length == 0)
            return "cannot be read here";
        return char.ToLowerInvariant(message[0]) + message[1..].TrimEnd('.');
    }

    private static ComposeException Fail(ParsingEvent at, string message) => new(new YamlFault(Line(at), Column(at), message));

    private sealed class ComposeException(YamlFault fault) : Exception(fault.Message)
    {
        public YamlFault Fault { get; } = fault;
    }
}
