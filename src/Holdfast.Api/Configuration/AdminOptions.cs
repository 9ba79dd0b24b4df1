using System.Net;

namespace Holdfast.Api.Configuration;

/// <summary>The admin listener: health, metrics and the admin API.</summary>
public sealed record AdminOptions
{
    /// <summary>Default 127.0.0.1:9090: not reachable from outside until the user says so (as HAProxy's and Envoy's examples).</summary>
    public IPEndPoint Address { get; init; } = new(IPAddress.Loopback, 9090);

    /// <summary>
    /// Bearer token that guards everything but health and metrics; null: none. At least 16 visible ASCII characters, the length below which
    /// guessing over the network is practical. Required, here or as a file, when <see cref="Address"/> is not loopback.
    /// </summary>
    public string? Token { get; init; }

    /// <summary>
    /// File that holds the token (surrounding white space ignored), read by the gateway at start; null: none. Excludes <see cref="Token"/>.
    /// </summary>
    public string? TokenFile { get; init; }

    /// <summary>The token never reaches a log through string conversion.</summary>
    public override string ToString() => $"AdminOptions {{ Address = {Address}, Token = {(Token is null ? "none" : "***")}, TokenFile = {TokenFile} }}";
}
