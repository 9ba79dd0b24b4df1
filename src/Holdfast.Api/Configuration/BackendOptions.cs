namespace Holdfast.Api.Configuration;

/// <summary>A named set of endpoints that serve the same application.</summary>
public sealed record BackendOptions
{
    /// <summary>Unique; letters, digits, '-', '_' and '.', at most 253. Appears in logs and metrics.</summary>
    public required string Name { get; init; }

    /// <summary>Without duplicates, in the file's order; at least one, or none when <see cref="Dns"/> names them.</summary>
    public required IReadOnlyList<EndpointAddress> Endpoints { get; init; }

    /// <summary>Where endpoints are looked up; null: they are listed.</summary>
    public DnsOptions? Dns { get; init; }

    /// <summary>Null: endpoints are spoken to in plain HTTP.</summary>
    public BackendTlsOptions? Tls { get; init; }

    /// <summary>
    /// Default least connections: connections live long, so counting them is the only policy that evens out after a roll (as HAProxy
    /// advises for long-lived connections).
    /// </summary>
    public LoadBalancingPolicy LoadBalancing { get; init; } = LoadBalancingPolicy.LeastConnections;

    /// <summary>
    /// For how long an endpoint that became Ready, or healthy again, takes a linearly growing share of new handshakes; 0: at once. Default 10 s: a new pod
    /// would otherwise win every pick of least connections while its caches are cold (Envoy and HAProxy have the same, off by default).
    /// </summary>
    public TimeSpan SlowStart { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// With <see cref="LoadBalancingPolicy.ConsistentHash"/>: no endpoint is picked that has more than this times the mean of connections.
    /// Default 1.25 (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded Loads, 2016; HAProxy's hash-balance-factor of 125). At least 1.01.
    /// </summary>
    public double BoundedLoad { get; init; } = 1.25;

    public AffinityOptions Affinity { get; init; } = new();

    public BackendLimits Limits { get; init; } = new();

    public HandshakeOptions Handshakes { get; init; } = new();

    /// <summary>Null: nobody is asked.</summary>
    public AuthOptions? Auth { get; init; }

    public HealthOptions Health { get; init; } = new();

    public KeepAliveOptions KeepAlive { get; init; } = new();

    public DrainOptions Drain { get; init; } = new();

    public HoldOptions Hold { get; init; } = new();

    /// <summary>
    /// Bytes kept per direction while a side is slow; over it the slow side's connection ends. Default 1 MiB (as Envoy's
    /// per_connection_buffer_limit_bytes); 4 KiB to 1 GiB.
    /// </summary>
    public int Spill { get; init; } = 1024 * 1024;
}

/// <summary>How a new handshake picks among the endpoints that may take it.</summary>
public enum LoadBalancingPolicy
{
    /// <summary>The fewest connections; ties at random.</summary>
    LeastConnections,

    /// <summary>The less loaded of two picked at random (Mitzenmacher 2001).</summary>
    PowerOfTwoChoices,

    /// <summary>Each in turn.</summary>
    RoundRobin,

    /// <summary>Any, uniformly.</summary>
    Random,

    /// <summary>By a hash of the affinity's key, or of the client's address without one: few keys move when endpoints come and go.</summary>
    ConsistentHash,
}

/// <summary>Pings and idleness, on both legs of every pair of a backend.</summary>
public sealed record KeepAliveOptions
{
    /// <summary>
    /// Silence on a leg after which it is pinged; 0: never. Default 30 s: under half of the 60 s that nginx and AWS's ALB allow an idle
    /// connection.
    /// </summary>
    public TimeSpan PingInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a pong may take before the leg counts as dead. Default 20 s (as the Node and Python WebSocket libraries' ping time-outs).
    /// More than 0.
    /// </summary>
    public TimeSpan PongTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Time without a message in either direction after which the pair is closed; 0, the default: never, because pings already find dead
    /// peers.
    /// </summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.Zero;
}
