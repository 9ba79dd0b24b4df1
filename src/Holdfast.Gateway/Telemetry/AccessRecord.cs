using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>One line of the access log in plain form. For a refused handshake only id, client, handshakeMs and path of <see cref="End"/> are set.</summary>
internal struct AccessRecord
{
    /// <summary>UTC, in <see cref="DateTime.Ticks"/>.</summary>
    public long TimeTicks;

    /// <summary>A refused handshake, not a connection's end.</summary>
    public bool IsHandshake;

    /// <summary>A plain request: of <see cref="End"/>, id, client, path, duration and bytes are set.</summary>
    public bool IsRequest;
    public RequestOutcome RequestOutcome;
    public RequestMethod Method;
    public HandshakeOutcome Outcome;
    public int Status;
    public int Attempts;

    /// <summary>Null when the handshake got none.</summary>
    public BackendState? Backend;
    public EndpointState? Endpoint;
    public PairEnd End;
}
