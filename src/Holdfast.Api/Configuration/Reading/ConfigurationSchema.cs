namespace Holdfast.Api.Configuration.Reading;

/// <summary>A key that is read.</summary>
/// <param name="Name">camelCase.</param>
/// <param name="Type">In the reference's words.</param>
/// <param name="Default">As it would be written; empty: none; <see cref="ConfigurationSchema.Required"/>: must be given.</param>
/// <param name="Section">What is inside a mapping or each item of a list of mappings.</param>
internal sealed record SchemaKey(string Name, string Type, string Default = "", SchemaSection? Section = null);

/// <summary>The keys of one mapping.</summary>
/// <param name="Path">Where it stands: <c>[]</c> is any item, <c>*</c> any name; empty for the document.</param>
/// <param name="Example">A good one, for messages.</param>
/// <param name="Keys">In the order of the reference.</param>
internal sealed record SchemaSection(string Path, string Example, params SchemaKey[] Keys)
{
    public string PathOf(string key) => Path.Length == 0 ? key : Path + "." + key;
}

/// <summary>
/// Every key of a configuration that this version reads: the reader accepts only these, and the reference's table must list the same ones.
/// </summary>
internal static class ConfigurationSchema
{
    public const string Required = "required";

    public static readonly SchemaSection ListenerLimits = new("listeners[].limits", "{connections: 10000}", new SchemaKey("connections", "number", "0"));

    public static readonly SchemaSection Listener = new(
        "listeners[]",
        "{name: web, address: 0.0.0.0:8080}",
        new SchemaKey("name", "name", Required),
        new SchemaKey("address", "ip:port", Required),
        new SchemaKey("tls", "mapping", Section: TlsSchema.Listener),
        new SchemaKey("proxyProtocol", "true or false", "false"),
        new SchemaKey("limits", "mapping", Section: ListenerLimits),
        new SchemaKey("trustedProxies", "list of networks", "[]"));

    public static readonly SchemaSection Admin = new(
        "admin",
        "{address: 127.0.0.1:9090}",
        new SchemaKey("address", "ip:port", "127.0.0.1:9090"),
        new SchemaKey("token", "text"),
        new SchemaKey("tokenFile", "path"));

    public static readonly SchemaSection Path = new(
        "routes[].path",
        "{prefix: /ws}",
        new SchemaKey("prefix", "path", "/"),
        new SchemaKey("exact", "path"));

    public static readonly SchemaSection Header = NameAndValue("routes[].headers[]");

    public static readonly SchemaSection Query = NameAndValue("routes[].query[]");

    public static readonly SchemaSection Timeouts = new(
        "routes[].timeouts",
        "{connect: 5s}",
        new SchemaKey("request", "duration", "0s"),
        new SchemaKey("connect", "duration", "5s"),
        new SchemaKey("handshake", "duration", "10s"));

    public static readonly SchemaSection WeightedBackend = new(
        "routes[].backends[]",
        "{name: chat, weight: 90}",
        new SchemaKey("name", "name", Required),
        new SchemaKey("weight", "number", "1"));

    public static readonly SchemaSection Route = new(
        "routes[]",
        "{path: {prefix: /ws}, backend: chat}",
        new SchemaKey("listeners", "list of names", "[]"),
        new SchemaKey("hosts", "list of hosts", "[]"),
        new SchemaKey("path", "mapping", Section: Path),
        new SchemaKey("headers", "list of mappings", "[]", Header),
        new SchemaKey("query", "list of mappings", "[]", Query),
        new SchemaKey("methods", "list of methods", "[]"),
        new SchemaKey("origins", "list of origins", "[]"),
        new SchemaKey("filters", "list of mappings", "[]", FilterSchema.Filter),
        new SchemaKey("timeouts", "mapping", Section: Timeouts),
        new SchemaKey("backend", "name"),
        new SchemaKey("backends", "list of mappings", Section: WeightedBackend));

    public static readonly SchemaSection KeepAlive = new(
        "backends.*.keepAlive",
        "{pingInterval: 30s}",
        new SchemaKey("pingInterval", "duration", "30s"),
        new SchemaKey("pongTimeout", "duration", "20s"),
        new SchemaKey("idleTimeout", "duration", "0s"));

    public static readonly SchemaSection Dns = new(
        "backends.*.dns",
        "{name: chat.default.svc, port: 8080}",
        new SchemaKey("name", "host", Required),
        new SchemaKey("port", "port", Required),
        new SchemaKey("interval", "duration", "5s"),
        new SchemaKey("grace", "duration", "30s"));

    public static readonly SchemaSection Eject = new(
        "backends.*.health.eject",
        "{afterFailures: 5, for: 30s, maxPercent: 50}",
        new SchemaKey("afterFailures", "number", "5"),
        new SchemaKey("for", "duration", "30s"),
        new SchemaKey("maxPercent", "percentage", "50"));

    public static readonly SchemaSection HttpCheck = new("backends.*.health.http", "{path: /healthz}", new SchemaKey("path", "path", Required));

    public static readonly SchemaSection TcpCheck = new("backends.*.health.tcp", "{}");

    public static readonly SchemaSection WebSocketCheck = new("backends.*.health.websocket", "{path: /ws}", new SchemaKey("path", "path", Required));

    public static readonly SchemaSection Health = new(
        "backends.*.health",
        "{http: {path: /healthz}}",
        new SchemaKey("eject", "mapping", Section: Eject),
        new SchemaKey("http", "mapping", Section: HttpCheck),
        new SchemaKey("tcp", "mapping", Section: TcpCheck),
        new SchemaKey("websocket", "mapping", Section: WebSocketCheck),
        new SchemaKey("interval", "duration", "5s"),
        new SchemaKey("timeout", "duration", "1s"),
        new SchemaKey("unhealthyAfter", "number", "3"),
        new SchemaKey("healthyAfter", "number", "2"));

    public static readonly SchemaSection Drain = new(
        "backends.*.drain",
        "{delay: 0s, duration: 20s, closeCode: 1012}",
        new SchemaKey("delay", "duration", "0s"),
        new SchemaKey("duration", "duration", "20s"),
        new SchemaKey("closeCode", "number", "1012"));

    public static readonly SchemaSection JsonSet = new(
        "backends.*.hold.json.set[]",
        "{match: {op: subscribe}, key: [channel]}",
        new SchemaKey("match", "mapping from paths", Required),
        new SchemaKey("key", "path or list of paths", "[]"),
        new SchemaKey("resume", "name"));

    public static readonly SchemaSection JsonUnset = Rule("backends.*.hold.json.unset[]", "{match: {op: unsubscribe}, key: [channel]}");

    public static readonly SchemaSection JsonReply = Rule("backends.*.hold.json.replies[]", "{match: {type: subscribed}, key: [channel]}");

    public static readonly SchemaSection JsonSequence = new(
        "backends.*.hold.json.sequence",
        "{path: seq, key: [channel]}",
        new SchemaKey("path", "path", Required),
        new SchemaKey("key", "path or list of paths", "[]"));

    public static readonly SchemaSection JsonHold = new(
        "backends.*.hold.json",
        "{set: [{match: {op: subscribe}, key: [channel]}]}",
        new SchemaKey("set", "list of mappings", Required, JsonSet),
        new SchemaKey("unset", "list of mappings", "[]", JsonUnset),
        new SchemaKey("replies", "list of mappings", "[]", JsonReply),
        new SchemaKey("sequence", "path or mapping", Section: JsonSequence));

    public static readonly SchemaSection Hold = new(
        "backends.*.hold",
        "{protocol: opaque}",
        new SchemaKey("protocol", "protocol", "none"),
        new SchemaKey("mode", "mode", "breakFirst"),
        new SchemaKey("overlap", "duration", "1s"),
        new SchemaKey("quiet", "duration", "500ms"),
        new SchemaKey("quietMax", "duration", "5s"),
        new SchemaKey("fence", "duration", "1s"),
        new SchemaKey("buffer", "size", "256KiB"),
        new SchemaKey("patience", "duration", "30s"),
        new SchemaKey("ratePerSecond", "number", "1000"),
        new SchemaKey("onServerError", "action", "relay"),
        new SchemaKey("json", "mapping", Section: JsonHold));

    public static readonly SchemaSection Backend = new(
        "backends.*",
        "{endpoints: [127.0.0.1:9001]}",
        new SchemaKey("endpoints", "list of host:port"),
        new SchemaKey("dns", "mapping", Section: Dns),
        new SchemaKey("tls", "mapping", Section: TlsSchema.Backend),
        new SchemaKey("loadBalancing", "policy", "leastConnections"),
        new SchemaKey("slowStart", "duration", "10s"),
        new SchemaKey("boundedLoad", "decimal number", "1.25"),
        new SchemaKey("affinity", "mapping", Section: AdmissionSchema.Affinity),
        new SchemaKey("limits", "mapping", Section: AdmissionSchema.Limits),
        new SchemaKey("handshakes", "mapping", Section: AdmissionSchema.Handshakes),
        new SchemaKey("health", "mapping", Section: Health),
        new SchemaKey("keepAlive", "mapping", Section: KeepAlive),
        new SchemaKey("drain", "mapping", Section: Drain),
        new SchemaKey("hold", "mapping", Section: Hold),
        new SchemaKey("spill", "size", "1MiB"),
        new SchemaKey("auth", "mapping", Section: AdmissionSchema.Auth));

    public static readonly SchemaSection Shutdown = new(
        "shutdown",
        "{delay: 10s, duration: 60s}",
        new SchemaKey("delay", "duration", "10s"),
        new SchemaKey("duration", "duration", "60s"));

    public static readonly SchemaSection Document = new(
        "",
        "listeners: [{name: web, address: 0.0.0.0:8080}]",
        new SchemaKey("listeners", "list of mappings", Required, Listener),
        new SchemaKey("admin", "mapping", Section: Admin),
        new SchemaKey("routes", "list of mappings", "[]", Route),
        new SchemaKey("backends", "mapping by name", Section: Backend),
        new SchemaKey("shutdown", "mapping", Section: Shutdown),
        new SchemaKey("bufferTotal", "size", "64MiB"));

    private static SchemaSection Rule(string path, string example) => new(
        path,
        example,
        new SchemaKey("match", "mapping from paths", Required),
        new SchemaKey("key", "path or list of paths", "[]"));

    private static SchemaSection NameAndValue(string path) => new(
        path,
        "{name: version, value: \"2\"}",
        new SchemaKey("name", "text", Required),
        new SchemaKey("value", "text", Required));
}
