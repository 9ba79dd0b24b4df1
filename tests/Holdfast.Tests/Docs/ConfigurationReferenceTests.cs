using System.Collections;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Api.Yaml;
using Xunit;

namespace Holdfast.Tests.Docs;

public partial class ConfigurationReferenceTests
{
    private static readonly string Reference = Repository.Read("docs", "reference", "configuration.md");

    [Fact]
    public void The_table_and_the_readers_schema_list_the_same_keys_types_and_defaults()
    {
        var documented = Row().Matches(Reference).Select(m => (m.Groups[1].Value, m.Groups[2].Value, m.Groups[3].Value.Trim('`')));
        var read = Keys(ConfigurationSchema.Document).Select(k => (k.Path, k.Key.Type, k.Key.Default));
        Assert.Equal(read, documented);
    }

    [Fact]
    public void Every_documented_key_has_a_meaning() =>
        Assert.All(Row().Matches(Reference), m => Assert.True(m.Groups[4].Value.Trim().Length > 3, m.Value));

    [Fact]
    public void Keys_that_are_not_supported_are_listed()
    {
        var list = Reference[Reference.IndexOf("<!-- unsupported keys -->", StringComparison.Ordinal)..Reference.IndexOf("<!-- end -->", StringComparison.Ordinal)];
        Assert.Equal(UnsupportedKeys.All.Order(StringComparer.Ordinal), Quoted().Matches(list).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void No_key_is_both_read_and_refused() =>
        Assert.Empty(Keys(ConfigurationSchema.Document).Select(k => k.Path).Intersect(UnsupportedKeys.All, StringComparer.Ordinal));

    [Fact]
    public void The_example_is_valid() => Assert.Empty(ConfigurationReader.Read(Repository.Read("docs", "examples", "gateway.yaml"), "gateway.yaml").Faults);

    [Fact]
    public void The_example_shows_every_key_and_the_reader_asks_for_each()
    {
        var text = Repository.Read("docs", "examples", "gateway.yaml").Replace("# token: ...  ", "token: 0123456789abcdef", StringComparison.Ordinal);
        var faults = new FaultCollector("gateway.yaml");
        _ = ConfigurationReader.Read(text, faults);
        Assert.Empty(faults.Unread);

        var shown = new HashSet<string>(StringComparer.Ordinal);
        Walk(YamlComposer.Compose(text).Root!, ConfigurationSchema.Document, shown);
        Assert.Empty(Keys(ConfigurationSchema.Document).Select(k => k.Path).Except(shown, StringComparer.Ordinal));
    }

    public static TheoryData<string, string> Defaults() =>
        [.. Keys(ConfigurationSchema.Document).Where(k => k.Key.Default is not ("" or ConfigurationSchema.Required)).Select(k => (k.Path, k.Key.Default))];

    [Theory]
    [MemberData(nameof(Defaults))]
    public void A_default_written_out_changes_nothing(string path, string value)
    {
        // `routes: []` would remove the routes that the other keys stand in.
        var given = path == "routes" ? JsonNode.Parse("""{"listeners": [{"name": "web", "address": "0.0.0.0:8080"}]}""")! : Base();
        // A backend has either; and times of checks need a check.
        if (path.Contains(".dns.", StringComparison.Ordinal))
            given["backends"]!["chat"] = JsonNode.Parse("""{"dns": {"name": "chat.default.svc", "port": "8080"}}""");
        if (path.Contains(".hold.json.", StringComparison.Ordinal))
        {
            const string Rules = """{"set": [{"match": {"a": "b"}}], "unset": [{"match": {"c": "d"}}], "replies": [{"match": {"e": "f"}}], "sequence": {"path": "s"}}""";
            given["backends"]!["chat"]!["hold"] = JsonNode.Parse($$"""{"protocol": "json", "json": {{Rules}}}""");
            // An empty list would remove the rules of the usual one.
            if (path is "backends.*.hold.json.unset" or "backends.*.hold.json.replies")
                given["backends"]!["chat"]!["hold"]!["json"]!.AsObject().Remove(path.Split('.')[^1]);
        }

        // These stand for nothing when they are left out.
        if (path.Contains(".affinity.cookie.", StringComparison.Ordinal))
            given["backends"]!["chat"]!["affinity"] = JsonNode.Parse("""{"cookie": {}}""");
        if (path.Contains(".auth.", StringComparison.Ordinal))
            given["backends"]!["chat"]!["auth"] = JsonNode.Parse("""{"url": "http://auth/verify"}""");

        if (path.StartsWith("listeners[].tls.", StringComparison.Ordinal))
            given["listeners"]![0]!["tls"] = JsonNode.Parse("""{"certificates": [{"certificate": "c", "key": "k"}], "clientCa": "a"}""");
        if (path.StartsWith("backends.*.tls.", StringComparison.Ordinal))
            given["backends"]!["chat"]!["tls"] = new JsonObject();
        if (path.Contains(".filters[].redirect.", StringComparison.Ordinal))
            given["routes"]![0] = JsonNode.Parse("""{"filters": [{"redirect": {"scheme": "https"}}]}""");
        else if (path.Contains(".filters[].", StringComparison.Ordinal))
            given["routes"]![0]!["filters"] = JsonNode.Parse("[{\"" + path.Split('.')[2] + "\": {\"set\": {\"a\": \"b\"}}}]");

        var written = given.DeepClone();
        Set(written, path, value);
        Assert.NotEqual(given.ToJsonString(), written.ToJsonString());
        Assert.Equal(Print(Read(given)), Print(Read(written)));
    }

    [Fact]
    public void Another_value_than_the_default_is_seen_by_the_comparison_above()
    {
        var written = Base();
        Set(written, "backends.*.keepAlive.pingInterval", "31s");
        Assert.NotEqual(Print(Read(Base())), Print(Read(written)));
    }

    private static JsonNode Base() => JsonNode.Parse("""
        {
          "listeners": [{"name": "web", "address": "0.0.0.0:8080"}],
          "routes": [{"backend": "chat"}, {"path": {"exact": "/b"}, "backends": [{"name": "chat"}]}],
          "backends": {"chat": {"endpoints": ["127.0.0.1:9001"], "health": {"http": {"path": "/healthz"}}}}
        }
        """)!;

    private static void Set(JsonNode root, string path, string value)
    {
        var node = root;
        var parts = path.Split('.');
        foreach (var part in parts[..^1])
        {
            if (part.EndsWith("[]", StringComparison.Ordinal))
                node = node[part[..^2]]!.AsArray()[path.Contains(".backends[]", StringComparison.Ordinal) && part == "routes[]" ? 1 : 0]!;
            else
                node = node[part == "*" ? "chat" : part] ??= new JsonObject();
        }

        node[parts[^1]] = value.StartsWith('[')
            ? new JsonArray([.. value.Trim('[', ']').Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(v => (JsonNode)v)])
            : JsonValue.Create(value);
    }

    /// <summary>JSON is YAML.</summary>
    private static GatewayConfiguration Read(JsonNode document)
    {
        var result = ConfigurationReader.Read(document.ToJsonString(), "f");
        Assert.Empty(result.Faults);
        return result.Configuration!;
    }

    private static string Print(object? value)
    {
        if (value is null or string || value is not IEnumerable && value.GetType().Namespace?.StartsWith("Holdfast", StringComparison.Ordinal) != true || value is Enum)
            return value?.ToString() ?? "null";
        var text = new StringBuilder();
        if (value is IEnumerable items)
            return text.Append('[').AppendJoin(", ", items.Cast<object?>().Select(Print)).Append(']').ToString();
        var properties = value.GetType().GetProperties().Where(p => p.GetMethod is { IsStatic: false } && p.GetIndexParameters().Length == 0);
        return text.Append('{').AppendJoin(", ", properties.Select(p => p.Name + " = " + Print(p.GetValue(value)))).Append('}').ToString();
    }

    private static IEnumerable<(string Path, SchemaKey Key)> Keys(SchemaSection section)
    {
        foreach (var key in section.Keys)
        {
            yield return (section.PathOf(key.Name), key);
            if (key.Section is null)
                continue;
            foreach (var inner in Keys(key.Section))
                yield return inner;
        }
    }

    private static void Walk(YamlNode node, SchemaSection section, HashSet<string> shown)
    {
        foreach (var (name, value) in node.Entries)
        {
            shown.Add(section.PathOf(name.Text));
            if (section.Keys.Single(k => k.Name == name.Text).Section is not { } inner)
                continue;
            IEnumerable<YamlNode> nodes = inner.Path.EndsWith("[]", StringComparison.Ordinal) ? value.Items
                : inner.Path.EndsWith('*') ? value.Entries.Select(e => e.Value)
                : [value];
            foreach (var child in nodes)
                Walk(child, inner, shown);
        }
    }

    [GeneratedRegex(@"^\| `([^`]+)` \| ([^|]+?) \| ([^|]*?) ?\| ([^|]+) \|[^|]*\|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("^- `([^`]+)`$", RegexOptions.Multiline)]
    private static partial Regex Quoted();
}
