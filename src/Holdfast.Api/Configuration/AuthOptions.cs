namespace Holdfast.Api.Configuration;

/// <summary>A service that is asked about every handshake and plain request before an endpoint is.</summary>
public sealed record AuthOptions
{
    /// <summary>
    /// Asked by GET: 2xx admits; 401 and 403 are the client's answer, body included; anything else, and none, is 503. http or https; no user name, no fragment.
    /// </summary>
    public required Uri Url { get; init; }

    /// <summary>Request headers that it is sent. Default: authorization and cookie.</summary>
    public IReadOnlyList<string> ForwardHeaders { get; init; } = ["authorization", "cookie"];

    /// <summary>Headers of its answer that the endpoint is sent. What clients send under these names is removed. Default: none.</summary>
    public IReadOnlyList<string> CopyHeaders { get; init; } = [];

    /// <summary>For the whole question. Default 2 s. More than 0.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Questions under way; further handshakes wait in the queue. Default 64. At least 1.</summary>
    public int MaxInFlight { get; init; } = 64;
}
