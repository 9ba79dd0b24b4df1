using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// What the loops tell of handshakes, re-homes and ends. Called on loop threads, once for each of these, never per message: must not block, log or
/// wait.
/// </summary>
internal interface IConnectionTelemetry
{
    /// <summary>A handshake ended, whatever way.</summary>
    void OnHandshakeEnded(in HandshakeRecord record);

    /// <summary>A connection's re-home ended, whatever way.</summary>
    /// <param name="backend">Of <see cref="RehomeEnd.BackendId"/>.</param>
    void OnRehomed(in RehomeEnd end, BackendState backend);

    /// <summary>An established connection ended.</summary>
    void OnPairEnded(in PairEnd end, BackendState backend, EndpointState endpoint);
}

/// <summary>One handshake, for the metrics and, when it was refused, for the access log.</summary>
internal readonly record struct HandshakeRecord
{
    public required UInt128 Id { get; init; }

    public required Relay.Interop.NativeAddress Client { get; init; }

    public required HandshakeOutcome Outcome { get; init; }

    /// <summary>The status sent to the client; 0 when it got none.</summary>
    public required int Status { get; init; }

    /// <summary>Milliseconds from the accept.</summary>
    public required long DurationMs { get; init; }

    /// <summary>Null when none was chosen.</summary>
    public BackendState? Backend { get; init; }

    public EndpointState? Endpoint { get; init; }

    /// <summary>Dials made.</summary>
    public int Attempts { get; init; }

    /// <summary>The path without its query, maybe cut.</summary>
    public PathBytes Path { get; init; }
}
