namespace Holdfast.Cli.Admin;

/// <summary>What the gateway said last.</summary>
/// <param name="Fault">Why there is no answer; null while there is one.</param>
/// <param name="Backends">In the configuration's order.</param>
/// <param name="Ends">Newest first.</param>
/// <param name="Rates">Of each endpoint.</param>
/// <param name="Connects">Of all endpoints together.</param>
/// <param name="Rehomes">Of all backends together.</param>
internal sealed record AdminView(
    string? Fault,
    IReadOnlyList<BackendAnswer> Backends,
    IReadOnlyList<EndAnswer> Ends,
    IReadOnlyDictionary<EndpointKey, EndpointRates> Rates,
    ConnectRate Connects,
    RehomeRate Rehomes)
{
    public static AdminView None { get; } = new("not asked yet", [], [], new Dictionary<EndpointKey, EndpointRates>(), new ConnectRate(0, []), default);

    public bool Answers => Fault is null;

    /// <summary>A backend's endpoints by address.</summary>
    public Dictionary<string, EndpointAnswer> EndpointsOf(string backend)
    {
        var endpoints = new Dictionary<string, EndpointAnswer>(StringComparer.Ordinal);
        foreach (var endpoint in Backends.FirstOrDefault(b => b.Name == backend)?.Endpoints ?? [])
            endpoints[endpoint.Address ?? ""] = endpoint;
        return endpoints;
    }
}

internal readonly record struct EndpointKey(string? Backend, string? Address);

/// <summary>Per second, over the last two.</summary>
/// <param name="Opened">New connections.</param>
/// <param name="ToEndpoint">Messages.</param>
/// <param name="ToClient">Messages.</param>
internal readonly record struct EndpointRates(double Opened, double ToEndpoint, double ToClient);

/// <summary>New connections per second. A roll shows in it: every connection that is closed comes back as a new one.</summary>
/// <param name="Now">Over the last two seconds.</param>
/// <param name="History">Of one poll each, oldest first.</param>
internal sealed record ConnectRate(double Now, IReadOnlyList<double> History);

/// <summary>Connections that another endpoint took over.</summary>
/// <param name="Now">Per second, over the last two.</param>
/// <param name="Total">Since the start of the gateway that was asked first.</param>
internal readonly record struct RehomeRate(double Now, long Total);
