using System.Globalization;
using Holdfast.Api.Yaml;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>
/// Collects faults and knows where each key stands. A key whose value could not be read is remembered as damaged, so that a validator
/// does not complain about the placeholder that stands in for it.
/// </summary>
internal sealed class FaultCollector(string file)
{
    /// <summary>More are counted, not listed.</summary>
    public const int MaxFaults = 200;

    private readonly List<ConfigurationFault> _faults = [];
    private readonly Dictionary<string, (int Line, int Column)> _places = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _shownAs = new(StringComparer.Ordinal);
    private readonly HashSet<string> _damaged = new(StringComparer.Ordinal);
    private int _unlisted;

    public string File { get; } = file;

    public int Count => _faults.Count;

    /// <summary>Further faults would only be counted: whoever looks for costly ones may stop. It also bounds the work on damaged keys.</summary>
    public bool IsFull => _faults.Count >= MaxFaults;

    /// <summary>Keys that the schema accepts but no reader asked for: always empty unless the two have drifted apart.</summary>
    public List<string> Unread { get; } = [];

    /// <summary>Remembers where a key's value stands, and under which name the user wrote it.</summary>
    public void Place(string key, YamlNode node, string? shownAs = null)
    {
        _places[key] = (node.Line, node.Column);
        if (shownAs is not null)
            _shownAs[key] = shownAs;
    }

    /// <summary>A fault that leaves the values as they are (an unknown key, say).</summary>
    public void Add(YamlNode? node, string key, string message) => Add(node?.Line ?? 1, node?.Column ?? 1, key, message);

    /// <summary>A value that could not be read.</summary>
    public void Damage(YamlNode? node, string key, string message)
    {
        if (!IsFull)
            _damaged.Add(key);
        Add(node, key, message);
    }

    /// <summary>Marks a value as damaged whose fault is already told under another key.</summary>
    public void Suspect(string key) => _damaged.Add(key);

    /// <summary>
    /// A fault found by a validator, placed at the key or its nearest written parent; dropped when the value, an item of its list, or the
    /// mapping it stands in was damaged.
    /// </summary>
    public void Invalid(string key, string message)
    {
        if (IsFull)
        {
            _unlisted++;
            return;
        }

        var shown = _shownAs.GetValueOrDefault(key, key);
        if (_damaged.Contains(shown) || HasDamaged(key, "[") || IsInsideDamaged(key))
            return;
        var (line, column) = PlaceOf(key);
        Add(line, column, shown, message);
    }

    /// <summary>Whether this value or anything inside it could not be read.</summary>
    public bool IsDamaged(string key) => _damaged.Count > 0 && (IsInsideDamaged(key) || HasDamaged(key, "[."));

    /// <summary>Whether the key stands in the file.</summary>
    public bool IsWritten(string key) => _places.ContainsKey(key);

    /// <summary>The line of a key, or of its nearest parent that is written.</summary>
    public int LineOf(string key) => PlaceOf(key).Line;

    /// <summary>In the file's order.</summary>
    public IReadOnlyList<ConfigurationFault> ToList()
    {
        var ordered = _faults.OrderBy(f => f.Line).ThenBy(f => f.Column).ToList();
        if (_unlisted > 0)
            ordered.Add(new ConfigurationFault(File, 0, 0, "", string.Create(CultureInfo.InvariantCulture, $"and at least {_unlisted} more faults")));
        return ordered;
    }

    private bool IsInsideDamaged(string key)
    {
        for (var end = key.Length; end > 0; end = key.AsSpan(0, end).LastIndexOfAny('.', '['))
        {
            if (_damaged.Contains(key[..end]))
                return true;
        }

        return false;
    }

    private bool HasDamaged(string key, string separators)
    {
        foreach (var damaged in _damaged)
        {
            if (damaged.Length > key.Length && separators.Contains(damaged[key.Length], StringComparison.Ordinal)
                && damaged.StartsWith(key, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    private void Add(int line, int column, string key, string message)
    {
        if (_faults.Count < MaxFaults)
            _faults.Add(new ConfigurationFault(File, line, column, Printable.Text(key, 120), message));
        else
            _unlisted++;
    }

    private (int Line, int Column) PlaceOf(string key)
    {
        while (key.Length > 0)
        {
            if (_places.TryGetValue(key, out var place))
                return place;
            var end = key.AsSpan().LastIndexOfAny('.', '[');
            key = end < 0 ? "" : key[..end];
        }

        return (1, 1);
    }
}
