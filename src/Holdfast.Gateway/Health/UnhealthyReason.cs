using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Health;

/// <summary>Why an endpoint is unhealthy: the admin API's <c>unhealthyReason</c>, in snake_case.</summary>
internal enum UnhealthyReason
{
    /// <summary>Its active check fails.</summary>
    FailedCheck = 0,

    /// <summary>Handshakes failed there.</summary>
    Ejected = 1,

    /// <summary>It was ejected, and the next handshake tries it, or one is trying it.</summary>
    HalfOpen = 2,
}

/// <summary>What is told of an unhealthy endpoint.</summary>
internal static class UnhealthyReasons
{
    /// <summary>Null: it is healthy.</summary>
    public static UnhealthyReason? Of(EndpointState endpoint, long nowMs)
    {
        if (endpoint.FailsCheck)
            return UnhealthyReason.FailedCheck;
        if (endpoint.Ejection.IsInService)
            return null;
        return EjectedForMs(endpoint, nowMs) > 0 ? UnhealthyReason.Ejected : UnhealthyReason.HalfOpen;
    }

    /// <summary>Milliseconds until a handshake may try it; 0: it is not ejected, or half-open.</summary>
    public static long EjectedForMs(EndpointState endpoint, long nowMs) =>
        endpoint.Ejection is { Phase: EjectionPhase.Ejected } ejection ? Math.Max(0, ejection.Until - nowMs) : 0;
}
