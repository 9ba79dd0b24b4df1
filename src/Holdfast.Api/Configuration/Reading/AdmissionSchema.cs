namespace Holdfast.Api.Configuration.Reading;

/// <summary>The keys of what may refuse or delay a handshake, and of what picks its endpoint.</summary>
internal static class AdmissionSchema
{
    public static readonly SchemaSection Cookie = new(
        "backends.*.affinity.cookie",
        "{name: holdfast}",
        new SchemaKey("name", "text", "holdfast"),
        new SchemaKey("ttl", "duration", "0s"),
        new SchemaKey("sameSite", "policy", "Lax"),
        new SchemaKey("path", "path", "/"),
        new SchemaKey("secretFile", "path"));

    public static readonly SchemaSection AffinityHeader = new("backends.*.affinity.header", "{name: x-session}", new SchemaKey("name", "text", ConfigurationSchema.Required));

    public static readonly SchemaSection AffinityQuery = new("backends.*.affinity.query", "{name: session}", new SchemaKey("name", "text", ConfigurationSchema.Required));

    public static readonly SchemaSection AffinityAddress = new("backends.*.affinity.clientAddress", "{}");

    public static readonly SchemaSection Affinity = new(
        "backends.*.affinity",
        "{cookie: {name: holdfast}}",
        new SchemaKey("cookie", "mapping", Section: Cookie),
        new SchemaKey("header", "mapping", Section: AffinityHeader),
        new SchemaKey("query", "mapping", Section: AffinityQuery),
        new SchemaKey("clientAddress", "mapping", Section: AffinityAddress));

    public static readonly SchemaSection PerKey = new(
        "backends.*.limits.connectionsPerKey",
        "{header: x-tenant, max: 1000}",
        new SchemaKey("header", "text", ConfigurationSchema.Required),
        new SchemaKey("max", "number", ConfigurationSchema.Required));

    public static readonly SchemaSection Limits = new(
        "backends.*.limits",
        "{connectionsPerEndpoint: 10000}",
        new SchemaKey("connectionsPerEndpoint", "number", "0"),
        new SchemaKey("connectionsPerClientAddress", "number", "0"),
        new SchemaKey("connectionsPerKey", "mapping", Section: PerKey),
        new SchemaKey("messageBytes", "size", "0"),
        new SchemaKey("messagesPerSecond", "number", "0"));

    public static readonly SchemaSection FairBy = new("backends.*.handshakes.fairBy", "{header: x-tenant}", new SchemaKey("header", "text", ConfigurationSchema.Required));

    public static readonly SchemaSection Handshakes = new(
        "backends.*.handshakes",
        "{ratePerSecond: 300}",
        new SchemaKey("ratePerSecond", "number", "0"),
        new SchemaKey("burst", "number", "0"),
        new SchemaKey("inFlightPerEndpoint", "number", "64"),
        new SchemaKey("queue", "number", "1024"),
        new SchemaKey("queueTimeout", "duration", "10s"),
        new SchemaKey("fairBy", "clientAddress or mapping", "clientAddress", FairBy));

    public static readonly SchemaSection Auth = new(
        "backends.*.auth",
        "{url: http://auth.default.svc/verify}",
        new SchemaKey("url", "url", ConfigurationSchema.Required),
        new SchemaKey("forwardHeaders", "list of names", "[authorization, cookie]"),
        new SchemaKey("copyHeaders", "list of names", "[]"),
        new SchemaKey("timeout", "duration", "2s"),
        new SchemaKey("maxInFlight", "number", "64"));
}
