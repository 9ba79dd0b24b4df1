namespace Holdfast.Api.Configuration;

/// <summary>The gateway's own drain on SIGTERM.</summary>
public sealed record ShutdownOptions
{
    /// <summary>
    /// Readiness fails, and connections are still accepted, for this long. Default 10 s: what kube-proxies and cloud load balancers commonly
    /// need to stop sending new ones.
    /// </summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Closes are spread over this long, after <see cref="Delay"/>. Default 60 s (as Envoy Gateway's drainTimeout). 0: all at once.
    /// </summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(60);
}
