using System.Globalization;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Fixing;

/// <summary>
/// Makes patches as edits of the text, so that comments, order and style stay. Every method gives null where an edit would be a guess: in what an
/// alias shares, behind tags, in explicit keys. The finding then keeps its text only.
/// </summary>
internal static class Edits
{
    private const string Step = "  ";

    /// <summary>Sets an annotation; annotations are text, so the value is quoted.</summary>
    public static Patch? SetAnnotation(KubernetesObject item, string key, string value) =>
        Set($"set {key}: \"{value}\"", item.Root, ["metadata", "annotations", key], value, isText: true);

    public static Patch? RemoveAnnotation(KubernetesObject item, string key) => Remove($"remove {key}", item.Root, ["metadata", "annotations", key]);

    /// <summary>Sets a scalar below a mapping; mappings on the way that are missing are written too.</summary>
    /// <param name="value">As it stands in a plain scalar: a number, a boolean, or a word.</param>
    /// <param name="isText">Kubernetes wants a string here, so what looks like a number must be quoted.</param>
    public static Patch? Set(string title, Node root, ReadOnlySpan<string> path, string value, bool isText = false)
    {
        var node = root;
        for (var i = 0; i < path.Length; i++)
        {
            if (node.Kind != NodeKind.Mapping || node.IsShared)
                return null;
            var isLast = i == path.Length - 1;
            if (node.EntryOf(path[i]) is not { } entry)
                return Make(title, Insert(node, path[i..], value, isText));
            // A key of one's own wins over a merged one, but it would hide everything below that.
            if (entry.IsMerged)
                return isLast ? Make(title, Insert(node, path[i..], value, isText)) : null;
            if (isLast)
                return Make(title, Replace(entry, value, isText));
            if (entry.Value.IsNull)
                return Make(title, InsertBelow(node, entry, path[(i + 1)..], value, isText));
            node = entry.Value;
        }

        return null;
    }

    /// <summary>Replaces a scalar by another, in the same quotes.</summary>
    public static Patch? Replace(string title, Node scalar, string value, bool isText = false) =>
        scalar.Kind != NodeKind.Scalar || scalar.IsNull ? null : Make(title, Replace(new NodeEntry(scalar, scalar, scalar.End, false), value, isText));

    /// <summary>Removes a key with its value; a mapping that would be left empty goes with it, unless comments stand in it.</summary>
    public static Patch? Remove(string title, Node root, ReadOnlySpan<string> path)
    {
        (Node Mapping, NodeEntry Entry)? target = null;
        var node = root;
        foreach (var key in path)
        {
            if (node.Kind != NodeKind.Mapping || node.IsShared || node.EntryOf(key) is not { IsMerged: false } entry)
                return null;
            if (target is null || node.Entries.Count > 1 || HasComment(target.Value.Entry))
                target = (node, entry);
            node = entry.Value;
        }

        return target is { } found ? Make(title, Remove(found.Mapping, found.Entry)) : null;
    }

    private static Patch? Make(string title, TextEdit? edit) => edit is null ? null : new Patch(title, [edit]);

    private static TextEdit? Replace(NodeEntry entry, string value, bool isText)
    {
        var node = entry.Value;
        // An anchor, alias or tag stands at its start.
        if (node.Kind != NodeKind.Scalar || node.IsShared || entry.End != node.End || node.Form == ScalarForm.Block || !StartsPlainly(node))
            return null;
        var text = node.Form switch
        {
            ScalarForm.SingleQuoted => "'" + value.Replace("'", "''", StringComparison.Ordinal) + "'",
            ScalarForm.DoubleQuoted => Quote(value),
            _ => Format(node.Source, value, isText),
        };
        return new TextEdit(node.Source, node.Start, node.End, node.Start == node.End ? " " + text : text);
    }

    private static bool StartsPlainly(Node node) => node.Start == node.End || node.Source.Text[node.Start] is not ('&' or '*' or '!');

    private static TextEdit? Insert(Node mapping, ReadOnlySpan<string> path, string value, bool isText)
    {
        var source = mapping.Source;
        var written = mapping.Entries.Where(e => !e.IsMerged).ToList();
        if (mapping.IsFlow)
        {
            var rendered = RenderFlow(source, path, value, isText);
            if (written.Count == 0)
                return mapping.Entries.Count == 0 && source.Text[mapping.Start] == '{' ? new TextEdit(source, mapping.Start + 1, mapping.End - 1, rendered) : null;
            var last = written[^1];
            var isSpread = last.Key.Line != mapping.Line;
            var separator = isSpread ? "," + source.NewLine + source.Text[source.LineStart(last.Key.Start)..last.Key.Start] : ", ";
            return isSpread && !IsBlank(separator.AsSpan(1)) ? null : new TextEdit(source, last.End, last.End, separator + rendered);
        }

        if (written.Count == 0)
            return null;
        var end = written.Max(e => e.End);
        var at = source.LineEnd(end);
        var isBlock = EndsInBlock(mapping);
        if (!IsBlankOrComment(source.Text.AsSpan(end, at - end)) || isBlock && (at == source.Text.Length || KeepsBlankLines(mapping)))
            return null;
        var indent = new string(' ', written[0].Key.Column - 1);
        return IsIndented(written[0].Key) ? new TextEdit(source, at, at, source.NewLine + Render(source, path, value, isText, indent)) : null;
    }

    /// <summary>Below a key that has nothing after it.</summary>
    private static TextEdit? InsertBelow(Node mapping, NodeEntry entry, ReadOnlySpan<string> path, string value, bool isText)
    {
        var source = mapping.Source;
        if (entry.Value.IsShared || entry.End != entry.Value.End || !StartsPlainly(entry.Value))
            return null;
        if (entry.Value.Start < entry.Value.End)
            return new TextEdit(source, entry.Value.Start, entry.Value.End, "{" + RenderFlow(source, path, value, isText) + "}");
        if (mapping.IsFlow)
            return new TextEdit(source, entry.End, entry.End, " {" + RenderFlow(source, path, value, isText) + "}");
        var at = source.LineEnd(entry.End);
        if (!IsBlankOrComment(source.Text.AsSpan(entry.End, at - entry.End)) || !IsIndented(entry.Key))
            return null;
        return new TextEdit(source, at, at, source.NewLine + Render(source, path, value, isText, new string(' ', entry.Key.Column - 1) + Step));
    }

    /// <summary>On a line of its own between a key and the end of its value.</summary>
    private static bool HasComment(NodeEntry entry)
    {
        var text = entry.Key.Source.Text.AsSpan(entry.Key.Start, entry.End - entry.Key.Start);
        foreach (var line in text.EnumerateLines())
        {
            if (line.TrimStart(" \t") is ['#', ..])
                return true;
        }

        return false;
    }

    private static TextEdit? Remove(Node mapping, NodeEntry entry)
    {
        var source = mapping.Source;
        var written = mapping.Entries.Where(e => !e.IsMerged).ToList();
        var index = written.FindIndex(e => ReferenceEquals(e.Key, entry.Key));
        if (mapping.IsFlow)
        {
            return index + 1 < written.Count ? new TextEdit(source, entry.Key.Start, written[index + 1].Key.Start, "")
                : index > 0 ? new TextEdit(source, written[index - 1].End, entry.End, "")
                : null;
        }

        var lineStart = source.LineStart(entry.Key.Start);
        var lineEnd = source.LineEnd(entry.End);
        if (!IsBlankOrComment(source.Text.AsSpan(entry.End, lineEnd - entry.End)))
            return null;
        if (IsBlank(source.Text.AsSpan(lineStart, entry.Key.Start - lineStart)))
        {
            var next = source.Text.IndexOf('\n', lineEnd);
            // The last line of a text without a final break takes the break before it along.
            return next >= 0 ? new TextEdit(source, lineStart, next + 1, "") : new TextEdit(source, Math.Max(lineStart - source.NewLine.Length, 0), lineEnd, "");
        }

        // Behind the dash of a list: what follows moves up.
        if (!IsIndented(entry.Key) || index + 1 >= written.Count)
            return null;
        var following = written[index + 1].Key.Start;
        return following > entry.End && IsBlank(source.Text.AsSpan(entry.End, following - entry.End)) ? new TextEdit(source, entry.Key.Start, following, "") : null;
    }

    private static string Render(SourceText source, ReadOnlySpan<string> path, string value, bool isText, string indent)
    {
        var text = "";
        for (var i = 0; i < path.Length; i++)
            text += (i > 0 ? source.NewLine : "") + indent + string.Concat(Enumerable.Repeat(Step, i)) + FormatKey(source, path[i]) + ":";
        return text + " " + Format(source, value, isText);
    }

    private static string RenderFlow(SourceText source, ReadOnlySpan<string> path, string value, bool isText)
    {
        var text = "";
        foreach (var key in path)
            text += (text.Length > 0 ? "{" : "") + FormatKey(source, key) + ": ";
        return text + Format(source, value, isText, inFlow: true) + new string('}', path.Length - 1);
    }

    private static string FormatKey(SourceText source, string key) => source.IsJson || !IsPlainSafe(key) ? Quote(key) : key;

    private static string Format(SourceText source, string value, bool isText, bool inFlow = false)
    {
        var isNumberOrBoolean = value is "true" or "false" || long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out _);
        if (isNumberOrBoolean && !isText)
            return value;
        return isText || source.IsJson || inFlow || !IsPlainSafe(value) ? Quote(value) : value;
    }

    /// <summary>No indicator of YAML and nothing that reads as another type.</summary>
    private static bool IsPlainSafe(string text) =>
        text.Length > 0 && char.IsAsciiLetter(text[0]) && text.AsSpan().IndexOfAnyExcept(PlainChars) < 0
        && text.ToLowerInvariant() is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n");

    private static readonly System.Buffers.SearchValues<char> PlainChars =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./%");

    private static string Quote(string text) => '"' + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + '"';

    /// <summary>Only spaces and dashes of lists before it: not an explicit key.</summary>
    private static bool IsIndented(Node key) =>
        key.Source.Text.AsSpan(key.Source.LineStart(key.Start), key.Start - key.Source.LineStart(key.Start)).IndexOfAnyExcept(' ', '-') < 0;

    private static bool EndsInBlock(Node node) => LastScalar(node) is { Form: ScalarForm.Block };

    private static bool KeepsBlankLines(Node node) =>
        LastScalar(node) is { } last && last.Source.Text.AsSpan(last.Start, last.Source.LineEnd(last.Start) - last.Start).Contains('+');

    private static Node? LastScalar(Node node) => node.Kind switch
    {
        NodeKind.Scalar => node,
        NodeKind.Sequence => node.IsFlow || node.Items.Count == 0 ? null : LastScalar(node.Items[^1]),
        _ => node.IsFlow ? null : node.Entries.LastOrDefault(e => !e.IsMerged) is { Value: { } value } entry && entry.End == value.End ? LastScalar(value) : null,
    };

    private static bool IsBlank(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(" \t\r\n") < 0;

    private static bool IsBlankOrComment(ReadOnlySpan<char> text)
    {
        var rest = text.TrimStart(" \t");
        return rest.IsEmpty || rest[0] == '#' && rest.Length < text.Length;
    }
}
