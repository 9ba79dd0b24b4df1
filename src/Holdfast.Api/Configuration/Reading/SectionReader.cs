using System.Globalization;
using Holdfast.Api.Yaml;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>
/// Reads one mapping by its section of the schema. Opening it reports unknown, unsupported and repeated keys; each getter reports what is
/// wrong with its value and gives the default instead, so that reading always goes on to the end.
/// </summary>
internal sealed class SectionReader
{
    private readonly FaultCollector _faults;
    private readonly SchemaSection _section;
    private readonly YamlNode _node;
    private readonly Dictionary<string, YamlNode> _values = new(StringComparer.Ordinal);
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    private SectionReader(FaultCollector faults, YamlNode node, string key, SchemaSection section)
    {
        (_faults, _node, Key, _section) = (faults, node, key, section);
        foreach (var (name, value) in node.Entries)
        {
            if (!section.Keys.Any(k => string.Equals(k.Name, name.Text, StringComparison.Ordinal)))
                AddUnknown(name);
            else if (_values.TryGetValue(name.Text, out var first))
                faults.Add(name, KeyOf(name.Text), string.Create(CultureInfo.InvariantCulture, $"is given twice; first in line {first.Line}"));
            else
                _values.Add(name.Text, value);
        }
    }

    /// <summary>Key path of this mapping; empty for the document.</summary>
    public string Key { get; }

    /// <summary>Reads a mapping; null, with a fault, when the node is none.</summary>
    public static T? Read<T>(FaultCollector faults, YamlNode node, string key, SchemaSection section, Func<SectionReader, T> read)
        where T : class
    {
        faults.Place(key, node);
        if (node.Kind != YamlKind.Mapping)
        {
            faults.Damage(node, key, $"must be a mapping, not {What(node)}; write for example {section.Example}");
            return null;
        }

        var reader = new SectionReader(faults, node, key, section);
        var result = read(reader);
        foreach (var name in reader._values.Keys)
        {
            if (!reader._read.Contains(name))
                faults.Unread.Add(reader.KeyOf(name));
        }

        return result;
    }

    public string KeyOf(string name) => Key.Length == 0 ? name : Key + "." + name;

    public bool IsEmpty => _node.Entries.Count == 0;

    public bool Has(string name) => _values.ContainsKey(name);

    /// <summary>Where a key's value stands, and marks it as read.</summary>
    public YamlNode? Find(string name)
    {
        _read.Add(name);
        return _values.GetValueOrDefault(name);
    }

    /// <summary>A fault of the mapping as a whole; its values stand.</summary>
    public void Add(string message) => _faults.Add(_node, Key, message);

    /// <summary>Marks a value as damaged whose fault is already told.</summary>
    public void Suspect(string name) => _faults.Suspect(KeyOf(name));

    /// <summary>A fault of one of its values.</summary>
    public void Damage(string name, string message) => _faults.Damage(_values.GetValueOrDefault(name) ?? _node, KeyOf(name), message);

    public T Required<T>(string name, ValueParser<T> parse, T placeholder, string example)
    {
        if (Find(name) is not null)
            return Optional(name, parse, placeholder);
        Damage(name, $"is required; write for example `{name}: {example}`");
        return placeholder;
    }

    /// <summary>A value, or <paramref name="fallback"/> when the key is absent or bad.</summary>
    public T Optional<T>(string name, ValueParser<T> parse, T fallback) =>
        Find(name) is { } node && TryParse(node, KeyOf(name), parse, out var value) ? value : fallback;

    public T? OptionalReference<T>(string name, ValueParser<T> parse)
        where T : class => Find(name) is { } node && TryParse(node, KeyOf(name), parse, out var value) ? value : null;

    /// <summary>Reads a mapping inside this one; the defaults when it is absent or none.</summary>
    public T Section<T>(string name, SchemaSection section, Func<SectionReader, T> read, T fallback)
        where T : class => Find(name) is { } node ? Read(_faults, node, KeyOf(name), section, read) ?? fallback : fallback;

    /// <summary>Reads a list of values; bad items are left out.</summary>
    /// <param name="nullIsText">Whether YAML's <c>null</c> without quotes is the word, as a user means it where the word is a value.</param>
    public List<T> List<T>(string name, ValueParser<T> parse, string example, bool nullIsText = false)
    {
        var result = new List<T>();
        foreach (var (node, key) in Items(name, example))
        {
            // A placeholder keeps the indexes of the items after a bad one.
            _ = TryParse(node, key, parse, out var value, nullIsText);
            result.Add(value);
        }

        return result;
    }

    /// <summary>Reads a list of values, or one value that stands for a list of it.</summary>
    public List<T> OneOrMore<T>(string name, ValueParser<T> parse, string example)
    {
        if (Find(name) is not { Kind: YamlKind.Scalar, IsNull: false } node)
            return List(name, parse, example);
        _ = TryParse(node, KeyOf(name), parse, out var value);
        return [value];
    }

    /// <summary>Reads a mapping from the user's names to single values, as text; bad ones are left out.</summary>
    public Dictionary<string, string> Scalars(string name, string example)
    {
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Find(name) is not { } node)
            return result;
        _faults.Place(KeyOf(name), node);
        if (node.Kind != YamlKind.Mapping)
        {
            Damage(name, $"must be a mapping, not {What(node)}; write for example {example}");
            return result;
        }

        var seen = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach (var (item, value) in node.Entries)
        {
            var key = KeyOf(name) + "." + item.Text;
            if (!seen.TryAdd(item.Text, item))
                _faults.Add(item, key, string.Create(CultureInfo.InvariantCulture, $"is given twice; first in line {seen[item.Text].Line}"));
            else if (TryParse<string>(value, key, ValueParsers.Any, out var text))
                result.Add(item.Text, text);
        }

        return result;
    }

    /// <summary>Reads a list of mappings; an item that is none is read as an empty one would be, after its fault.</summary>
    public List<T> Sections<T>(string name, SchemaSection section, Func<SectionReader, T> read, T placeholder, string example)
        where T : class
    {
        var result = new List<T>();
        foreach (var (node, key) in Items(name, example))
            result.Add(Read(_faults, node, key, section, read) ?? placeholder);
        return result;
    }

    /// <summary>Reads a mapping whose keys are the user's names.</summary>
    public List<T> Named<T>(string name, SchemaSection section, Func<string, SectionReader, T> read, Func<string, T> placeholder, string example)
        where T : class
    {
        var result = new List<T>();
        if (Find(name) is not { } node)
            return result;
        _faults.Place(KeyOf(name), node);
        if (node.Kind != YamlKind.Mapping)
        {
            Damage(name, $"must be a mapping from names, not {What(node)}; write for example {example}");
            return result;
        }

        var seen = new Dictionary<string, YamlNode>(StringComparer.Ordinal);
        foreach (var (item, value) in node.Entries)
        {
            var key = KeyOf(name) + "." + item.Text;
            if (!seen.TryAdd(item.Text, item))
            {
                _faults.Add(item, key, string.Create(CultureInfo.InvariantCulture, $"is given twice; first in line {seen[item.Text].Line}"));
                continue;
            }

            result.Add(Read(_faults, value, key, section, s => read(item.Text, s)) ?? placeholder(item.Text));
            _faults.Place(key, item);
        }

        return result;
    }

    /// <summary>Lets a validator's key point at what the user wrote instead.</summary>
    public void ShowAs(string key, string name)
    {
        if (_values.TryGetValue(name, out var node))
            _faults.Place(key, node, KeyOf(name));
    }

    private IEnumerable<(YamlNode Node, string Key)> Items(string name, string example)
    {
        if (Find(name) is not { } node)
            yield break;
        _faults.Place(KeyOf(name), node);
        if (node.Kind != YamlKind.Sequence)
        {
            Damage(name, $"must be a list, not {What(node)}; write for example {example}");
            yield break;
        }

        for (var i = 0; i < node.Items.Count; i++)
            yield return (node.Items[i], string.Create(CultureInfo.InvariantCulture, $"{KeyOf(name)}[{i}]"));
    }

    private bool TryParse<T>(YamlNode node, string key, ValueParser<T> parse, out T value, bool nullIsText = false)
    {
        _faults.Place(key, node);
        if (node.Kind != YamlKind.Scalar || (node.IsNull && !nullIsText))
        {
            // The parser's complaint about an empty text is not the user's; only its placeholder is wanted.
            parse("", out value);
            _faults.Damage(node, key, node.IsNull ? "has no value; give one or remove the key" : $"must be a single value, not {What(node)}");
            return false;
        }

        if (parse(node.Text, out value) is not { } problem)
            return true;
        _faults.Damage(node, key, problem);
        return false;
    }

    private void AddUnknown(YamlNode name)
    {
        var key = KeyOf(name.Text);
        if (UnsupportedKeys.Contains(_section.PathOf(name.Text)))
            _faults.Add(name, key, $"`{name.Text}` is not supported by this version");
        else if (name.Text is "<<")
            _faults.Add(name, key, "merge keys are not supported; an alias can stand for a whole value, for example `timeouts: *usual`");
        else if (KeySuggestion.Nearest(name.Text, _section.Keys.Select(k => k.Name)) is { } near)
            _faults.Add(name, key, $"unknown key; did you mean `{near}`?");
        else
            _faults.Add(name, key, $"unknown key; known here: {Names(_section)}");
    }

    private static string Names(SchemaSection section) => string.Join(", ", section.Keys.Select(k => k.Name));

    private static string What(YamlNode node) =>
        node.IsNull ? "nothing" : node.Kind == YamlKind.Scalar ? "the value " + Printable.Quote(node.Text) : node.KindName;
}
