using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Testing.Manifests;

/// <summary>
/// Checks objects against schemas, strictly: an unknown field is a fault, not something to drop. What it cannot see are rules that the API
/// server has in code or as CEL (<c>x-kubernetes-validations</c>).
/// </summary>
public static partial class ManifestValidator
{
    private static readonly TimeSpan PatternPatience = TimeSpan.FromSeconds(5);

    /// <summary>Every fault of every object in a YAML stream; an object whose kind has no schema is one.</summary>
    public static IReadOnlyList<SchemaFault> Validate(string text, string file, SchemaCatalog schemas)
    {
        var faults = new List<SchemaFault>();
        foreach (var manifest in Manifest.Read(text, file, faults))
            faults.AddRange(Validate(manifest, schemas));
        return faults;
    }

    public static IReadOnlyList<SchemaFault> Validate(Manifest manifest, SchemaCatalog schemas)
    {
        var check = new Check(manifest);
        if (manifest.ApiVersion.Length == 0 || manifest.Kind.Length == 0)
            check.Fail(manifest.Root, "", "an object needs apiVersion and kind");
        else if (schemas.Find(manifest.ApiVersion, manifest.Kind) is { } schema)
            check.Value(manifest.Root, schema, "");
        else
            check.Fail(manifest.Root, "kind", $"there is no schema for {manifest.ApiVersion} {manifest.Kind}");
        ValidateMetadata(manifest, schemas, check);
        return check.Faults;
    }

    /// <summary>Checks only what all kinds have in common, for one that has no schema.</summary>
    public static IReadOnlyList<SchemaFault> ValidateMetadata(Manifest manifest, SchemaCatalog schemas)
    {
        var check = new Check(manifest);
        ValidateMetadata(manifest, schemas, check);
        return check.Faults;
    }

    private static void ValidateMetadata(Manifest manifest, SchemaCatalog schemas, Check check)
    {
        if (manifest.Find("metadata") is not YamlMappingNode metadata)
        {
            check.Fail(manifest.Root, "metadata", "is missing");
            return;
        }

        check.Value(metadata, schemas.Metadata(), "metadata");
        if (manifest.Name.Length == 0 && manifest.Text("metadata", "generateName").Length == 0)
            check.Fail(metadata, "metadata.name", "is missing");
    }

    /// <summary>The way through one object.</summary>
    private sealed class Check(Manifest manifest)
    {
        private readonly List<SchemaFault> _faults = [];

        public IReadOnlyList<SchemaFault> Faults => [.. _faults.Distinct()];

        public void Fail(YamlNode at, string path, string message) => _faults.Add(manifest.Fault(at, path, message));

        /// <param name="isWhole">False: the schema is a member of an anyOf and the like, and does not list every field.</param>
        public void Value(YamlNode node, ObjectSchema schema, string path, bool isWhole = true)
        {
            if (node is YamlScalarNode scalar && YamlValue.TypeOf(scalar) == YamlType.Null)
            {
                // Written by the API machinery's own printers.
                if (!schema.IsNullable && !path.EndsWith("metadata.creationTimestamp", StringComparison.Ordinal))
                    Fail(node, path, $"has no value; {Wanted(schema)} is wanted, or no such line");
                return;
            }

            if (schema.IsQuantity)
                Quantity(node, path);
            else if (schema.IsIntOrString)
                Typed(node, path, "a whole number or text", (node as YamlScalarNode) is { } s && YamlValue.TypeOf(s) is YamlType.Integer or YamlType.Text);
            else if (schema.Type == "object" || (schema.Type.Length == 0 && schema.PropertyNames.Concat(schema.Required).Any()))
                Object(node, schema, path, isWhole);
            else if (schema.Type == "array")
                List(node, schema, path, isWhole);
            else if (schema.Type.Length > 0)
                Scalar(node, schema, path);

            Combined(node, schema, path);
        }

        private void Object(YamlNode node, ObjectSchema schema, string path, bool isWhole)
        {
            if (node is not YamlMappingNode mapping)
            {
                Typed(node, path, "a mapping", false);
                return;
            }

            foreach (var (key, value) in mapping.Children)
            {
                var name = (key as YamlScalarNode)?.Value ?? "";
                var inner = Join(path, name);
                if (schema.Property(name) is { } property)
                {
                    // The catalog's own schema of metadata is used for every kind.
                    if (inner != "metadata")
                        Value(value, property, inner, isWhole);
                }
                else if (schema.HasAdditionalProperties)
                {
                    if (schema.AdditionalProperties is { } additional)
                        Value(value, additional, inner, isWhole);
                }
                else if (isWhole && !schema.TakesAnyField && !(path.Length == 0 && name is "apiVersion" or "kind" or "metadata"))
                {
                    Fail(key, inner, "is no field of this object");
                }
            }

            foreach (var name in schema.Required.Where(r => mapping.Find(r) is null))
                Fail(node, Join(path, name), "is missing");
            Bounds(node, path, "fields", mapping.Children.Count, schema.Bound("minProperties"), schema.Bound("maxProperties"));
        }

        private void List(YamlNode node, ObjectSchema schema, string path, bool isWhole)
        {
            if (node is not YamlSequenceNode sequence)
            {
                Typed(node, path, "a list", false);
                return;
            }

            var seen = new HashSet<string>(StringComparer.Ordinal);
            for (var i = 0; i < sequence.Children.Count; i++)
            {
                var (item, inner) = (sequence.Children[i], string.Create(CultureInfo.InvariantCulture, $"{path}[{i}]"));
                if (schema.Items is { } items)
                    Value(item, items, inner, isWhole);
                var identity = schema.ListType switch
                {
                    "set" => YamlValue.ToJson(item)?.ToJsonString(),
                    "map" => string.Join(", ", schema.ListKeys.Select(k => $"{k}: {(item.Find(k) is null ? schema.Items?.Property(k)?.Default : item.Text(k))}")),
                    _ => null,
                };
                if (identity is not null && !seen.Add(identity))
                    Fail(item, inner, $"stands twice in this list ({identity})");
            }

            Bounds(node, path, "items", sequence.Children.Count, schema.Bound("minItems"), schema.Bound("maxItems"));
        }

        private void Scalar(YamlNode node, ObjectSchema schema, string path)
        {
            if (node is not YamlScalarNode scalar || !Fits(schema.Type, YamlValue.TypeOf(scalar)))
            {
                Typed(node, path, Wanted(schema), false);
                return;
            }

            var text = scalar.Value!;
            if (schema.Type == "string")
            {
                Bounds(node, path, "characters", text.EnumerateRunes().Count(), schema.Bound("minLength"), schema.Bound("maxLength"));
                if (schema.Pattern.Length > 0 && !Regex.IsMatch(text, schema.Pattern, RegexOptions.ECMAScript, PatternPatience))
                    Fail(node, path, $"'{text}' does not fit the pattern {schema.Pattern}");
                if (schema.Format == "date-time" && !DateTimePattern().IsMatch(text))
                    Fail(node, path, $"'{text}' is no time of RFC 3339");
                if (schema.Format == "byte" && !Convert.TryFromBase64String(text, new byte[text.Length], out _))
                    Fail(node, path, "is not base64");
            }
            else if (schema.Type is "integer" or "number")
            {
                var value = YamlValue.IntegerOf(scalar) ?? double.Parse(text, CultureInfo.InvariantCulture);
                var (least, most) = schema.Format == "int32" ? (int.MinValue, int.MaxValue) : ((double?)null, (double?)null);
                if (value < (schema.Bound("minimum") ?? least) || value > (schema.Bound("maximum") ?? most))
                    Fail(node, path, $"{text} is out of range");
            }

            if (schema.Enum is { Count: > 0 } allowed && !allowed.Contains(text, StringComparer.Ordinal))
                Fail(node, path, $"'{text}' is none of {string.Join(", ", allowed)}");
        }

        private void Quantity(YamlNode node, string path) =>
            Typed(node, path, "a quantity such as 100m or 64Mi", node is YamlScalarNode scalar && QuantityPattern().IsMatch(scalar.Value ?? ""));

        private void Combined(YamlNode node, ObjectSchema schema, string path)
        {
            foreach (var all in schema.Of("allOf"))
                Value(node, all, path, isWhole: false);
            if (schema.IsIntOrString || schema.IsQuantity)
                return;
            if (schema.Of("anyOf") is { Count: > 0 } any && !any.Any(s => Fits(node, s)))
                Fail(node, path, "fits none of the forms that are possible here");
            if (schema.Of("oneOf") is { Count: > 0 } one && one.Count(s => Fits(node, s)) is var fitting and not 1)
                Fail(node, path, fitting == 0 ? "fits none of the forms that are possible here" : "mixes forms that exclude each other");
            if (schema.Not is { } not && Fits(node, not))
                Fail(node, path, "has a form that is excluded here");
        }

        private bool Fits(YamlNode node, ObjectSchema schema)
        {
            var trial = new Check(manifest);
            trial.Value(node, schema, "", isWhole: false);
            return trial._faults.Count == 0;
        }

        private void Typed(YamlNode node, string path, string wanted, bool fits)
        {
            if (!fits)
                Fail(node, path, $"is {YamlValue.Describe(node)}; {wanted} is wanted");
        }

        private void Bounds(YamlNode node, string path, string what, int count, double? least, double? most)
        {
            if (count < least)
                Fail(node, path, FormattableString.Invariant($"has {count} {what}; at least {least} are wanted"));
            if (count > most)
                Fail(node, path, FormattableString.Invariant($"has {count} {what}; at most {most} are possible"));
        }

        private static bool Fits(string type, YamlType given) => type switch
        {
            "string" => given == YamlType.Text,
            "boolean" => given == YamlType.Boolean,
            "integer" => given == YamlType.Integer,
            "number" => given is YamlType.Integer or YamlType.Number,
            _ => throw new InvalidDataException($"A schema has the type '{type}'."),
        };

        private static string Wanted(ObjectSchema schema) => schema switch
        {
            { IsQuantity: true } => "a quantity",
            { IsIntOrString: true } => "a whole number or text",
            { Type: "string" } => "text (in quotes)",
            { Type: "integer" } => "a whole number",
            { Type: "number" } => "a number",
            { Type: "boolean" } => "true or false",
            { Type: "array" } => "a list",
            _ => "a mapping",
        };

        private static string Join(string path, string name) => path.Length == 0 ? name : $"{path}.{name}";
    }

    [GeneratedRegex(@"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$", RegexOptions.ExplicitCapture)]
    private static partial Regex QuantityPattern();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]\d\d:\d\d)$", RegexOptions.ExplicitCapture)]
    private static partial Regex DateTimePattern();
}
