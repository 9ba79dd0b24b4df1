using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Forwarding.Upstream;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Forwarding;

/// <summary>What is known of a plain request while it is served, from its route to its line in the access log.</summary>
/// <param name="startedAt">On the clock of time stamps.</param>
internal sealed class RequestRun(PlainRequest request, long startedAt)
{
    public PairClaims Claims;
    public AffinityKey Key;

    public PlainRequest Request { get; } = request;

    public UInt128 Id { get; } = NewId();

    /// <summary>Null: none was chosen.</summary>
    public BackendState? Backend { get; set; }

    /// <summary>The one tried last.</summary>
    public EndpointState? Endpoint { get; set; }

    public Exchange? Exchange { get; set; }

    public int Attempts { get; set; }

    public int[] Tried { get; } = new int[HandshakeAttempt.Most];

    public long Trial { get; set; }

    public RequestOutcome Outcome { get; set; }

    /// <summary>Sent to the client; 0: none.</summary>
    public int Status { get; set; }

    public RequestRecord ToRecord(TimeProvider time) => new()
    {
        Id = Id,
        Client = Request.Client,
        Method = RequestMethod.Of(Request.Head.Method),
        Path = RequestRecord.PathOf(Request.Head.Path),
        Outcome = Outcome,
        Status = Status,
        DurationMs = (long)time.GetElapsedTime(startedAt).TotalMilliseconds,
        HeadSeconds = Exchange is { AnsweredAt: not 0 } exchange ? time.GetElapsedTime(startedAt, exchange.AnsweredAt).TotalSeconds : -1,
        Backend = Backend,
        Endpoint = Endpoint,
        Attempts = Attempts,
        BytesFromClient = Exchange?.BytesFromClient ?? 0,
        BytesFromEndpoint = Exchange?.BytesFromEndpoint ?? 0,
    };

    public static UInt128 NewId() => LoopRandom.OfThread.NextUInt128();
}
