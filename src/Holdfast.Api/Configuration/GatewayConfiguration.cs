namespace Holdfast.Api.Configuration;

/// <summary>
/// Everything one gateway serves: immutable, replaced whole. Read from YAML by <see cref="ConfigurationReader"/>, which returns it only
/// when it has no fault. Durations are <see cref="TimeSpan"/>, sizes are bytes; zero means "no limit" unless a member says otherwise.
/// </summary>
public sealed record GatewayConfiguration
{
    /// <summary>At least one; names and addresses are unique.</summary>
    public required IReadOnlyList<ListenerOptions> Listeners { get; init; }

    /// <summary>Where health, metrics and the admin API answer.</summary>
    public AdminOptions Admin { get; init; } = new();

    /// <summary>In the file's order, which is the last tie-breaker between equally specific matches. May be empty: everything is 404 then.</summary>
    public IReadOnlyList<RouteOptions> Routes { get; init; } = [];

    /// <summary>In the file's order; names are unique, and every route's backend is among them.</summary>
    public IReadOnlyList<BackendOptions> Backends { get; init; } = [];

    /// <summary>How the gateway itself leaves service.</summary>
    public ShutdownOptions Shutdown { get; init; } = new();

    /// <summary>Bytes that all held connections' buffers may take together; beyond, held clients are not read. Default 64 MiB; 1 MiB to 64 GiB.</summary>
    public long BufferTotal { get; init; } = UsualBufferTotal;

    internal const long UsualBufferTotal = 64L << 20;
}
