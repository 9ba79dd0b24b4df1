using System.Text.Json;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

/// <summary>
/// The part of SARIF 2.1.0's schema that the linter uses, as strict as the schema: known keys only, their types, what is required, and the words of
/// enumerations.
/// </summary>
internal static class SarifShape
{
    private static readonly string[] Levels = ["none", "note", "warning", "error"];

    private static readonly Dictionary<string, (string[] Required, Dictionary<string, string> Keys)> Types = new(StringComparer.Ordinal)
    {
        ["log"] = (["version", "runs"], new() { ["$schema"] = "uri", ["version"] = "=2.1.0", ["runs"] = "[run" }),
        ["run"] = (["tool"], new() { ["tool"] = "tool", ["columnKind"] = "=utf16CodeUnits", ["invocations"] = "[invocation", ["results"] = "[result" }),
        ["tool"] = (["driver"], new() { ["driver"] = "component" }),
        ["component"] = (["name"], new() { ["name"] = "text", ["version"] = "text", ["rules"] = "[descriptor" }),
        ["descriptor"] = (["id"], new()
        {
            ["id"] = "text", ["name"] = "text", ["shortDescription"] = "multiformat", ["fullDescription"] = "multiformat", ["help"] = "multiformat", ["helpUri"] = "uri",
            ["defaultConfiguration"] = "configuration",
        }),
        ["configuration"] = ([], new() { ["level"] = "level" }),
        ["multiformat"] = (["text"], new() { ["text"] = "text" }),
        ["invocation"] = (["executionSuccessful"], new() { ["executionSuccessful"] = "boolean", ["toolExecutionNotifications"] = "[notification" }),
        ["notification"] = (["message"], new() { ["level"] = "level", ["message"] = "multiformat", ["locations"] = "[location" }),
        ["location"] = ([], new() { ["physicalLocation"] = "physical", ["logicalLocations"] = "[logical" }),
        ["physical"] = (["artifactLocation"], new() { ["artifactLocation"] = "artifact", ["region"] = "region" }),
        ["artifact"] = (["uri"], new() { ["uri"] = "reference" }),
        ["region"] = (["startLine"], new() { ["startLine"] = "positive", ["startColumn"] = "positive" }),
        ["offsets"] = (["charOffset"], new() { ["charOffset"] = "natural", ["charLength"] = "natural" }),
        ["logical"] = ([], new() { ["fullyQualifiedName"] = "text", ["kind"] = "text" }),
        ["result"] = (["message", "ruleId"], new()
        {
            ["ruleId"] = "text", ["ruleIndex"] = "natural", ["level"] = "level", ["message"] = "multiformat", ["locations"] = "[location", ["partialFingerprints"] = "fingerprints",
            ["fixes"] = "[fix", ["suppressions"] = "[suppression",
        }),
        ["fingerprints"] = ([], new() { ["holdfastLint/v1"] = "text" }),
        ["fix"] = (["artifactChanges"], new() { ["description"] = "multiformat", ["artifactChanges"] = "[change" }),
        ["change"] = (["artifactLocation", "replacements"], new() { ["artifactLocation"] = "artifact", ["replacements"] = "[replacement" }),
        ["replacement"] = (["deletedRegion"], new() { ["deletedRegion"] = "offsets", ["insertedContent"] = "content" }),
        ["content"] = ([], new() { ["text"] = "any text" }),
        ["suppression"] = (["kind"], new() { ["kind"] = "=inSource|external", ["justification"] = "text" }),
    };

    public static void Verify(string sarif)
    {
        using var document = JsonDocument.Parse(sarif);
        Verify(document.RootElement, "log", "$");
    }

    private static void Verify(JsonElement element, string type, string at)
    {
        if (type[0] == '[')
        {
            Assert.True(element.ValueKind == JsonValueKind.Array, $"{at} is no array");
            foreach (var (item, i) in element.EnumerateArray().Select((item, i) => (item, i)))
                Verify(item, type[1..], $"{at}[{i}]");
        }
        else if (Types.TryGetValue(type, out var shape))
        {
            Assert.True(element.ValueKind == JsonValueKind.Object, $"{at} is no object");
            var names = element.EnumerateObject().Select(p => p.Name).ToList();
            Assert.True(names.Count == names.Distinct(StringComparer.Ordinal).Count(), $"{at} repeats a key");
            Assert.Empty(shape.Required.Except(names, StringComparer.Ordinal).Select(name => $"{at} lacks {name}"));
            foreach (var property in element.EnumerateObject())
            {
                Assert.True(shape.Keys.TryGetValue(property.Name, out var inner), $"{at} has the unknown key {property.Name}");
                Verify(property.Value, inner, $"{at}.{property.Name}");
            }
        }
        else
        {
            Assert.True(IsValue(element, type), $"{at}: {element.GetRawText()} is no {type}");
        }
    }

    private static bool IsValue(JsonElement element, string type) => type switch
    {
        "boolean" => element.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "positive" => element.ValueKind == JsonValueKind.Number && element.GetInt32() >= 1,
        "natural" => element.ValueKind == JsonValueKind.Number && element.GetInt32() >= 0,
        _ => element.ValueKind == JsonValueKind.String && IsText(element.GetString()!, type),
    };

    private static bool IsText(string text, string type) => type switch
    {
        "any text" => true,
        "text" => text.Length > 0,
        "level" => Levels.Contains(text, StringComparer.Ordinal),
        "uri" => Uri.TryCreate(text, UriKind.Absolute, out _),
        "reference" => Uri.IsWellFormedUriString(text, UriKind.RelativeOrAbsolute),
        _ => type[0] == '=' ? type[1..].Split('|').Contains(text, StringComparer.Ordinal) : throw new InvalidOperationException($"no type {type}"),
    };
}
