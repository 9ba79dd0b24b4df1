using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Testing.Manifests;

/// <summary>What a scalar is.</summary>
public enum YamlType
{
    Null,
    Boolean,
    Integer,
    Number,
    Text,
}

/// <summary>
/// YAML as kubectl reads it: by the rules of YAML 1.1, as go-yaml 2 has them. So a plain <c>on</c>, <c>y</c> or <c>no</c> is a boolean and
/// a plain <c>0440</c> is octal.
/// </summary>
public static partial class YamlValue
{
    public static YamlType TypeOf(YamlScalarNode scalar)
    {
        if (scalar.Style != ScalarStyle.Plain || scalar.Tag is { IsEmpty: false })
            return YamlType.Text;
        return scalar.Value switch
        {
            null or "" or "~" or "null" or "Null" or "NULL" => YamlType.Null,
            _ when BooleanOf(scalar) is not null => YamlType.Boolean,
            _ when IntegerOf(scalar) is not null => YamlType.Integer,
            { } text when NumberPattern().IsMatch(text) => YamlType.Number,
            _ => YamlType.Text,
        };
    }

    /// <summary>Null: no boolean.</summary>
    public static bool? BooleanOf(YamlScalarNode scalar) => scalar.Value switch
    {
        "true" or "True" or "TRUE" or "y" or "Y" or "yes" or "Yes" or "YES" or "on" or "On" or "ON" => true,
        "false" or "False" or "FALSE" or "n" or "N" or "no" or "No" or "NO" or "off" or "Off" or "OFF" => false,
        _ => null,
    };

    /// <summary>Null: no integer, or one beyond 64 bits.</summary>
    public static long? IntegerOf(YamlScalarNode scalar)
    {
        var match = IntegerPattern().Match(scalar.Value ?? "");
        if (!match.Success)
            return null;
        var (digits, radix) = match.Groups["hex"].Success ? (match.Groups["hex"], 16)
            : match.Groups["binary"].Success ? (match.Groups["binary"], 2)
            : match.Groups["octal"].Success ? (match.Groups["octal"], 8)
            : (match.Groups["decimal"], 10);
        try
        {
            var value = Convert.ToInt64(digits.Value.Replace("_", "", StringComparison.Ordinal), radix);
            return match.Groups["sign"].Value == "-" ? -value : value;
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    /// <summary>The node at a path of keys and of positions in lists, or null.</summary>
    public static YamlNode? Find(this YamlNode node, params object[] path)
    {
        YamlNode? found = node;
        foreach (var step in path)
        {
            found = (found, step) switch
            {
                (YamlMappingNode mapping, string key) => mapping.Children.FirstOrDefault(c => c.Key is YamlScalarNode k && k.Value == key).Value,
                (YamlSequenceNode sequence, int index) when index < sequence.Children.Count => sequence.Children[index],
                _ => null,
            };
        }

        return found;
    }

    /// <summary>The scalar's text at a path; empty: there is none.</summary>
    public static string Text(this YamlNode node, params object[] path) => (node.Find(path) as YamlScalarNode)?.Value ?? "";

    /// <summary>A list's items at a path; empty: there is none.</summary>
    public static IReadOnlyList<YamlNode> Items(this YamlNode node, params object[] path) =>
        node.Find(path) is YamlSequenceNode sequence ? [.. sequence.Children] : [];

    /// <summary>A mapping of scalars at a path, such as labels; empty: there is none.</summary>
    public static IReadOnlyDictionary<string, string> Texts(this YamlNode node, params object[] path) =>
        (node.Find(path) as YamlMappingNode)?.Children.ToDictionary(c => ((YamlScalarNode)c.Key).Value!, c => ((YamlScalarNode)c.Value).Value!, StringComparer.Ordinal)
        ?? [];

    internal static string Describe(YamlNode node) => node switch
    {
        YamlMappingNode => "a mapping",
        YamlSequenceNode => "a list",
        YamlScalarNode scalar => TypeOf(scalar) switch
        {
            YamlType.Null => "nothing",
            YamlType.Text => $"the text '{scalar.Value}'",
            YamlType.Boolean => $"the boolean {scalar.Value}",
            _ => $"the number {scalar.Value}",
        },
        _ => "an alias",
    };

    internal static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(c => KeyValuePair.Create(((YamlScalarNode)c.Key).Value!, ToJson(c.Value)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Children.Select(ToJson)]),
        YamlScalarNode scalar => TypeOf(scalar) switch
        {
            YamlType.Null => null,
            YamlType.Boolean => BooleanOf(scalar)!.Value,
            YamlType.Integer => IntegerOf(scalar)!.Value,
            YamlType.Number => double.Parse(scalar.Value!, CultureInfo.InvariantCulture),
            _ => scalar.Value,
        },
        _ => throw new InvalidOperationException("The reader resolves aliases."),
    };

    [GeneratedRegex("^(?<sign>[-+]?)(0x(?<hex>[0-9a-fA-F][0-9a-fA-F_]*)|0b(?<binary>[01][01_]*)|0o?(?<octal>[0-7][0-7_]*)|(?<decimal>0|[1-9][0-9_]*))$", RegexOptions.ExplicitCapture)]
    private static partial Regex IntegerPattern();

    [GeneratedRegex(@"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", RegexOptions.ExplicitCapture)]
    private static partial Regex NumberPattern();
}
