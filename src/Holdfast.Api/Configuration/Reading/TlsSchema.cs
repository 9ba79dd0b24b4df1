namespace Holdfast.Api.Configuration.Reading;

/// <summary>The keys of TLS, towards clients and towards endpoints.</summary>
internal static class TlsSchema
{
    public static readonly SchemaSection Certificate = new(
        "listeners[].tls.certificates[]",
        "{certificate: tls.crt, key: tls.key}",
        new SchemaKey("certificate", "path", ConfigurationSchema.Required),
        new SchemaKey("key", "path", ConfigurationSchema.Required));

    public static readonly SchemaSection Listener = new(
        "listeners[].tls",
        "{certificates: [{certificate: tls.crt, key: tls.key}]}",
        new SchemaKey("certificates", "list of mappings", ConfigurationSchema.Required, Certificate),
        new SchemaKey("minVersion", "version", "1.2"),
        new SchemaKey("alpn", "list of protocols", "[http/1.1]"),
        new SchemaKey("clientCa", "path"),
        new SchemaKey("clientCertificate", "require or optional", "require"));

    public static readonly SchemaSection Backend = new(
        "backends.*.tls",
        "{serverName: chat.internal}",
        new SchemaKey("serverName", "host"),
        new SchemaKey("ca", "path"),
        new SchemaKey("certificate", "path"),
        new SchemaKey("key", "path"),
        new SchemaKey("verify", "true or false", "true"));
}
