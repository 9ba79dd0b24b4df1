namespace Holdfast.Api.Configuration;

/// <summary>How connections of an endpoint that leaves are closed.</summary>
public sealed record DrainOptions
{
    /// <summary>Before the first close. Default 0.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.Zero;

    /// <summary>
    /// What the closes are spread over; 0: all at once. Default 20 s: it fits Kubernetes' default terminationGracePeriodSeconds of 30 s and
    /// leaves ten for the news to arrive.
    /// </summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// What clients are told, a code that may be sent in a Close frame: 1000, 1001, 1012, 1013, 3000 to 4999. Default 1012, Service Restart (IANA WebSocket
    /// Close Code registry): come back.
    /// </summary>
    public int CloseCode { get; init; } = 1012;
}
