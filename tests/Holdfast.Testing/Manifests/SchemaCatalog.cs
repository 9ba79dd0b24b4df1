using System.Text.Json.Nodes;
using YamlDotNet.RepresentationModel;

namespace Holdfast.Testing.Manifests;

/// <summary>
/// The schemas of a folder by API version and kind: <c>kubernetes-*/</c> as an API server publishes them (<c>/openapi/v3/apis/…</c>, one JSON
/// file for each API version), and any other sub-folder's custom resource definitions. Read when first asked for. Thread-safe.
/// </summary>
public sealed class SchemaCatalog
{
    private readonly string _folder;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, JsonObject> _builtIn = new(StringComparer.Ordinal);
    private Dictionary<string, JsonObject>? _custom;

    public SchemaCatalog(string folder) => _folder = folder;

    /// <summary>The schema of an object; null: there is none.</summary>
    internal ObjectSchema? Find(string apiVersion, string kind)
    {
        var definitions = Definitions(apiVersion);
        foreach (var schema in definitions.Select(d => d.Value as JsonObject))
        {
            // Options that every group repeats carry a list of kinds, an object only its own.
            if (schema?["x-kubernetes-group-version-kind"] is JsonArray { Count: 1 } kinds && Names(kinds[0]!) == (apiVersion, kind))
                return new ObjectSchema(schema, definitions, isCustom: false);
        }

        lock (_gate)
            return (_custom ??= ReadCustom()).GetValueOrDefault(apiVersion + "/" + kind) is { } custom ? new ObjectSchema(custom, [], isCustom: true) : null;
    }

    /// <summary>What every object's metadata is; custom resource definitions leave it out.</summary>
    internal ObjectSchema Metadata()
    {
        var definitions = Definitions("v1");
        return new ObjectSchema((JsonObject)definitions["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]!, definitions, isCustom: false);
    }

    private static (string ApiVersion, string Kind) Names(JsonNode kind) => ($"{kind["group"]}/{kind["version"]}".TrimStart('/'), $"{kind["kind"]}");

    private JsonObject Definitions(string apiVersion)
    {
        lock (_gate)
        {
            if (_builtIn.TryGetValue(apiVersion, out var known))
                return known;
            var name = (apiVersion.Contains('/', StringComparison.Ordinal) ? "apis_" : "api_") + apiVersion.Replace('/', '_') + ".json";
            var file = Directory.GetDirectories(_folder, "kubernetes-*").Order(StringComparer.Ordinal).Select(d => Path.Combine(d, name)).LastOrDefault(File.Exists);
            return _builtIn[apiVersion] = file is null ? [] : (JsonObject)JsonNode.Parse(File.ReadAllText(file))!["components"]!["schemas"]!;
        }
    }

    private Dictionary<string, JsonObject> ReadCustom()
    {
        var schemas = new Dictionary<string, JsonObject>(StringComparer.Ordinal);
        foreach (var file in Directory.GetFiles(_folder, "*.yaml", SearchOption.AllDirectories))
        {
            var faults = new List<SchemaFault>();
            foreach (var definition in Manifest.Read(File.ReadAllText(file), file, faults).Where(m => m.Kind == "CustomResourceDefinition"))
            {
                foreach (var version in definition.Root.Items("spec", "versions"))
                {
                    var name = $"{definition.Text("spec", "group")}/{version.Text("name")}/{definition.Text("spec", "names", "kind")}";
                    if (version.Find("schema", "openAPIV3Schema") is YamlMappingNode schema)
                        schemas[name] = (JsonObject)YamlValue.ToJson(schema)!;
                }
            }

            if (faults.Count > 0)
                throw new InvalidDataException(faults[0].ToString());
        }

        return schemas;
    }
}
