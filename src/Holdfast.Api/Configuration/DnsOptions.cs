namespace Holdfast.Api.Configuration;

/// <summary>Endpoints found by name: every A and AAAA address of a headless Service is one.</summary>
public sealed record DnsOptions
{
    /// <summary>A DNS name in lower case. The system's search domains apply unless it ends in a dot.</summary>
    public required string Name { get; init; }

    /// <summary>Of every endpoint; 1 to 65535.</summary>
    public required int Port { get; init; }

    /// <summary>Between two look-ups. Default 5 s, CoreDNS' default TTL of such records; asked more often, caches would answer. At least 100 ms.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long an address may be missing from good answers before its connections are drained; it takes no new ones meanwhile. Default 30 s,
    /// Kubernetes' default terminationGracePeriodSeconds: a pod that is only not ready for a while keeps its connections.
    /// </summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);
}
