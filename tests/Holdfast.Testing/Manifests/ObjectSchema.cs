using System.Globalization;
using System.Text.Json.Nodes;

namespace Holdfast.Testing.Manifests;

/// <summary>A schema of OpenAPI v3 as Kubernetes writes it, its references followed.</summary>
internal sealed class ObjectSchema
{
    private const string Definitions = "#/components/schemas/";

    private readonly JsonObject _json;
    private readonly JsonObject _definitions;
    private readonly bool _isCustom;

    /// <param name="definitions">What <c>$ref</c> names.</param>
    /// <param name="isCustom">Of a custom resource: there the API server drops what an object without listed fields holds.</param>
    public ObjectSchema(JsonObject json, JsonObject definitions, bool isCustom)
    {
        // The built-in kinds wrap a reference into an allOf of one, to put a description beside it.
        while ((string?)(json["$ref"] ?? (json["allOf"] as JsonArray is [JsonObject only] ? only["$ref"] : null)) is { } reference)
        {
            Reference = reference[Definitions.Length..];
            json = (JsonObject)definitions[Reference]!;
        }

        (_json, _definitions, _isCustom) = (json, definitions, isCustom);
    }

    /// <summary>The definition's name; empty: written in place.</summary>
    public string Reference { get; } = "";

    /// <summary>Empty: any.</summary>
    public string Type => Text("type");

    public string Format => Text("format");

    public bool IsNullable => Is("nullable");

    public bool IsQuantity => Reference.EndsWith(".resource.Quantity", StringComparison.Ordinal);

    public bool IsIntOrString => Is("x-kubernetes-int-or-string") || Format == "int-or-string";

    /// <summary>An object of free form, such as an extension's own configuration.</summary>
    public bool TakesAnyField => Is("x-kubernetes-preserve-unknown-fields")
        || (!_isCustom && !_json.ContainsKey("properties") && !_json.ContainsKey("additionalProperties"));

    public string ListType => Text("x-kubernetes-list-type");

    public IEnumerable<string> ListKeys => Texts("x-kubernetes-list-map-keys");

    public IEnumerable<string> Required => Texts("required");

    public IEnumerable<string> PropertyNames => (_json["properties"] as JsonObject)?.Select(p => p.Key) ?? [];

    /// <summary>Empty: any value.</summary>
    public IReadOnlyCollection<string> Enum => [.. ((_json["enum"] as JsonArray) ?? []).Select(v => v?.ToString() ?? "null")];

    /// <summary>Empty: any text.</summary>
    public string Pattern => Text("pattern");

    public string Default => _json["default"]?.ToString() ?? "";

    public ObjectSchema? Items => Inner(_json["items"]);

    public ObjectSchema? AdditionalProperties => Inner(_json["additionalProperties"]);

    public bool HasAdditionalProperties => _json["additionalProperties"] is JsonObject || Is("additionalProperties");

    public ObjectSchema? Property(string name) => Inner((_json["properties"] as JsonObject)?[name]);

    /// <summary>The members of <c>allOf</c>, <c>anyOf</c> or <c>oneOf</c>.</summary>
    public IReadOnlyList<ObjectSchema> Of(string name) => [.. ((_json[name] as JsonArray) ?? []).Select(s => Inner(s)!)];

    public ObjectSchema? Not => Inner(_json["not"]);

    /// <summary>A bound such as <c>maxLength</c>; null: none.</summary>
    public double? Bound(string name) => _json[name] is { } bound ? double.Parse(bound.ToJsonString(), CultureInfo.InvariantCulture) : null;

    private ObjectSchema? Inner(JsonNode? json) => json is JsonObject inner ? new ObjectSchema(inner, _definitions, _isCustom) : null;

    private string Text(string name) => (string?)_json[name] ?? "";

    private bool Is(string name) => _json[name] is JsonValue value && value.TryGetValue<bool>(out var set) && set;

    private IEnumerable<string> Texts(string name) => (_json[name] as JsonArray ?? []).Select(v => (string)v!);
}
