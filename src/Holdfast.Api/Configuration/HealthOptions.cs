namespace Holdfast.Api.Configuration;

/// <summary>How a backend's endpoints are judged: always by what handshakes meet, and by checks of our own when one is configured.</summary>
public sealed record HealthOptions
{
    public EjectOptions Eject { get; init; } = new();

    /// <summary>Null, the default: endpoints are not asked.</summary>
    public HealthCheckOptions? Check { get; init; }
}

/// <summary>When an endpoint that fails handshakes takes none for a while. Its open connections are not touched.</summary>
public sealed record EjectOptions
{
    /// <summary>Failures in a row; 0: never. Default 5 (Envoy's consecutive_5xx).</summary>
    public int AfterFailures { get; init; } = 5;

    /// <summary>Until it gets a handshake to prove itself by. Default 30 s (Envoy's base_ejection_time). More than 0.</summary>
    public TimeSpan For { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// The share of a backend's endpoints that may be ejected at once, 0 to 100; never all of them. Default 50: half a fleet that answers is
    /// better than none, and a fault that all share is not the endpoints'.
    /// </summary>
    public int MaxPercent { get; init; } = 50;
}

/// <summary>How an endpoint is asked whether it serves.</summary>
public enum HealthCheckKind
{
    /// <summary>It accepts a connection.</summary>
    Tcp,

    /// <summary>It answers a GET with 200 to 299.</summary>
    Http,

    /// <summary>It accepts a WebSocket and answers a ping on it.</summary>
    WebSocket,
}

/// <summary>An active check of every endpoint of a backend.</summary>
/// <param name="Kind">How it is asked.</param>
/// <param name="Path">What is requested, by http and websocket; empty with tcp.</param>
public sealed record HealthCheckOptions(HealthCheckKind Kind, string Path)
{
    /// <summary>From the start of one check to the next. Default 5 s (as Envoy's and nginx Plus' examples). At least 100 ms.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>For the whole check. Default 1 s (a Kubernetes probe's). More than 0.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Failures in a row that make it unhealthy. Default 3 (a Kubernetes probe's failureThreshold). At least 1.</summary>
    public int UnhealthyAfter { get; init; } = 3;

    /// <summary>Successes in a row that make it healthy again. Default 2 (HAProxy's rise). At least 1.</summary>
    public int HealthyAfter { get; init; } = 2;
}
