namespace Holdfast.Relay.Holding;

/// <summary>
/// Why a connection's upstream was replaced. The name in snake_case is the metric's value.
/// </summary>
public enum RehomeCause : byte
{
    /// <summary>Its endpoint is being drained.</summary>
    Planned = 0,

    /// <summary>The endpoint's own Close frame was the first news.</summary>
    CloseFirst = 1,

    /// <summary>The endpoint's connection was lost: reset, ended without a Close frame, or dead.</summary>
    Crash = 2,
}

/// <summary>How a re-home ended. The name in snake_case is the metric's value.</summary>
public enum RehomeOutcome : byte
{
    /// <summary>Another endpoint serves the connection.</summary>
    Completed = 0,

    /// <summary>The same, but an answer of the old endpoint may be lost: it was not quiet, or did not answer the fence, within quietMax.</summary>
    CutShort = 1,

    /// <summary>Every endpoint asked refused to take over; the client was told 1012.</summary>
    Refused = 2,

    /// <summary>No endpoint took over within patience; the client was told 1012.</summary>
    TimedOut = 3,

    /// <summary>The client left meanwhile.</summary>
    ClientGone = 4,

    /// <summary>The gateway, or an operator, ended the connection meanwhile.</summary>
    Ended = 5,
}

/// <summary>One re-home that ended.</summary>
public struct RehomeEnd
{
    public UInt128 Id;
    public int BackendId;
    public int FromEndpointId;

    /// <summary>-1: none.</summary>
    public int ToEndpointId;
    public RehomeCause Cause;
    public RehomeOutcome Outcome;

    /// <summary>Milliseconds for which the client's messages waited.</summary>
    public long HeldMs;

    /// <summary>Client messages sent to the old endpoint of which nobody knows whether it read them.</summary>
    public long Unknown;
}
