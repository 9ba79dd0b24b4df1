using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Health;

/// <summary>What a loop has to say about an endpoint's health.</summary>
internal enum HealthEventKind
{
    Ejected,
    Recovered,

    /// <summary>Put back without proof: the ceiling or the options no longer allow its ejection, or nobody else is left.</summary>
    Returned,
}

/// <summary>One of them, for the log.</summary>
/// <param name="Failures">In a row, at an ejection.</param>
/// <param name="ForMs">How long it is ejected.</param>
internal readonly record struct HealthEvent(HealthEventKind Kind, string Backend, EndpointState Endpoint, int Failures = 0, long ForMs = 0);
