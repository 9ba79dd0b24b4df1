using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;
using Holdfast.Api.Yaml;
using Holdfast.Manifests.Linting.Rules;

namespace Holdfast.Manifests.Linting.Settings;

/// <summary>Reads <c>.holdfast-lint.yaml</c> as strictly as the gateway's configuration: every fault at once, with its place.</summary>
public static class SettingsReader
{
    /// <summary>Read from the working directory when the command line names no other.</summary>
    public const string DefaultFile = ".holdfast-lint.yaml";

    private static readonly SchemaSection Assume = new(
        "assume",
        "{pingInterval: 25s}",
        new SchemaKey("pingInterval", "duration"),
        new SchemaKey("drain", "duration", "30s"),
        new SchemaKey("connectionsPerPod", "number", "0"),
        new SchemaKey("handshakesPerSecond", "number", "0"));

    private static readonly SchemaSection Ignore = new(
        "ignore[]",
        "{rules: [HF-N02], objects: [\"Ingress shop/*\"], reason: \"clients ping every 20 s\"}",
        new SchemaKey("rules", "list of rules", "[]"),
        new SchemaKey("objects", "list of objects", "[]"),
        new SchemaKey("reason", "text", ConfigurationSchema.Required));

    /// <summary>Every key; the reference's table lists the same.</summary>
    internal static readonly SchemaSection Document = new(
        "",
        "assume: {pingInterval: 25s}",
        new SchemaKey("assume", "mapping", Section: Assume),
        new SchemaKey("webSocket", "list of namespace/name", "[]"),
        new SchemaKey("notWebSocket", "list of namespace/name", "[]"),
        new SchemaKey("ignore", "list of mappings", "[]", Ignore));

    /// <summary>Never throws for what the text holds. The settings count only when there is no fault.</summary>
    /// <param name="file">How faults name it.</param>
    public static (LintSettings Settings, IReadOnlyList<ConfigurationFault> Faults) Read(string text, string file)
    {
        var faults = new FaultCollector(file);
        var settings = LintSettings.Default;
        var (root, fault) = YamlComposer.Compose(text);
        if (fault is not null)
            faults.Add(new YamlNode(YamlKind.Scalar, fault.Line, fault.Column), "", fault.Message);
        else if (root is not null)
            settings = SectionReader.Read(faults, root, "", Document, Read) ?? settings;
        return (settings, faults.ToList());
    }

    /// <summary><c>namespace/name</c>, as <c>--websocket</c> takes it too. Null when it is good.</summary>
    public static string? ValidateName(string text) =>
        text.Split('/') is [{ Length: > 0 }, { Length: > 0 }] ? null : $"{Printable.Quote(text)} is not namespace/name; write for example shop/chat";

    private static LintSettings Read(SectionReader section) => new()
    {
        Assume = section.Section("assume", Assume, ReadAssume, new LintAssumptions()),
        WebSocket = section.List<string>("webSocket", Name, "[shop/chat]"),
        NotWebSocket = section.List<string>("notWebSocket", Name, "[shop/api]"),
        Ignore = section.Sections("ignore", Ignore, ReadIgnore, new IgnoredFinding([], [], ""), "[{rules: [HF-N02], reason: why}]"),
    };

    private static LintAssumptions ReadAssume(SectionReader section) => new()
    {
        PingInterval = section.Find("pingInterval") is null ? null : section.Optional<TimeSpan>("pingInterval", PositiveDuration, TimeSpan.Zero),
        Drain = section.Optional<TimeSpan>("drain", ValueParsers.Duration, new LintAssumptions().Drain),
        ConnectionsPerPod = section.Optional<int>("connectionsPerPod", ValueParsers.Number, 0),
        HandshakesPerSecond = section.Optional<int>("handshakesPerSecond", ValueParsers.Number, 0),
    };

    private static IgnoredFinding ReadIgnore(SectionReader section) => new(
        section.List<string>("rules", RuleName, "[HF-N02]"),
        section.List<string>("objects", ValueParsers.Text, "[\"Ingress shop/*\"]"),
        section.Required("reason", ValueParsers.Text, "", "clients ping every 20 s"));

    private static string? Name(string text, out string value)
    {
        value = text;
        return ValidateName(text);
    }

    private static string? PositiveDuration(string text, out TimeSpan value) =>
        ValueParsers.Duration(text, out value) ?? (value == TimeSpan.Zero ? "must be longer than 0; leave the key out when applications do not ping" : null);

    private static string? RuleName(string text, out string value)
    {
        value = text;
        if (RuleCatalog.Find(text) is not null)
            return null;
        var near = KeySuggestion.Nearest(text, RuleCatalog.All.SelectMany(r => new[] { r.Id, r.Name }));
        return $"{Printable.Quote(text)} is not a rule; write {near ?? "for example HF-N02"}";
    }
}
