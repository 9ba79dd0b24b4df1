using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Filters;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Handshakes;

/// <summary>What a handshake before its first dial waits for.</summary>
internal enum AdmissionStage
{
    /// <summary>Its turn.</summary>
    Queue,

    /// <summary>The auth service's answer.</summary>
    Auth,

    /// <summary>An endpoint with room; everything else is settled.</summary>
    Line,
}

/// <summary>
/// What the policy remembers of a handshake between its steps: the backend, the endpoint whose place it holds, and what was tried. Used
/// again for later handshakes of the same loop.
/// </summary>
internal sealed class HandshakeAttempt
{
    /// <summary>Attempts at most: the first and two retries.</summary>
    public const int Most = 3;

    private readonly int[] _tried = new int[Most];
    private int _count;
    private long _trial;
    private AffinityPlan? _plan;
    private AffinityKey _key;

    public BackendState Backend { get; private set; } = null!;

    /// <summary>Of the route that it took.</summary>
    public FilterPlan Filters { get; private set; } = FilterPlan.None;

    /// <summary>A connection is reserved on it while it is not null.</summary>
    public EndpointState? Endpoint { get; private set; }

    /// <summary>The one tried last, held or not.</summary>
    public EndpointState? Last { get; private set; }

    public byte[] ExpectedAccept { get; } = new byte[AcceptKey.Length];

    /// <summary>The client's offered sub-protocols, as one comma list; null: none.</summary>
    public byte[]? OfferedProtocols { get; set; }

    /// <summary>How the connection is to be held; null: it is not. As configured when the request came.</summary>
    public HoldSettings? Hold { get; set; }

    /// <summary>The client speaks TLS, to this gateway or to a trusted proxy before it.</summary>
    public bool IsSecure { get; set; }

    /// <summary>Where its admission stands.</summary>
    public AdmissionStage Stage { get; set; }

    public QueuePlace Place { get; } = new();

    /// <summary>When it has waited long enough, on the loop's clock.</summary>
    public long WaitUntil { get; set; }

    /// <summary>The question that is asked about it; null: none, or it was answered.</summary>
    public PendingAuth? Auth { get; set; }

    public long AskedAt { get; set; }

    /// <summary>What it is counted under; the established connection's from the 101 on.</summary>
    public PairClaims Claims;

    public bool MayRetry => _count < Most;

    /// <summary>Whether another endpoint could be tried after the one now held.</summary>
    public bool HasOther => MayRetry && Backend.HasHealthyBut(_tried.AsSpan(0, _count));

    /// <summary>Starts over, for another handshake.</summary>
    public void Begin(BackendState backend, FilterPlan filters)
    {
        (Backend, Filters) = (backend, filters);
        Endpoint = Last = null;
        OfferedProtocols = null;
        Hold = null;
        Stage = AdmissionStage.Queue;
        Auth = null;
        Claims = default;
        _plan = null;
        _key = default;
        _count = 0;
        _trial = 0;
    }

    /// <summary>Reads what the client is known by.</summary>
    public void Bind(AffinityPlan plan, in RequestView request, in NativeAddress client, long nowSeconds)
    {
        _plan = plan;
        _key = plan.KeyOf(in request, client, nowSeconds);
    }

    /// <summary>Reserves the first endpoint.</summary>
    /// <param name="bound">When busy: the only one that would do; null: any would.</param>
    public Reservation TryFirst(Random random, long nowMs, out EndpointState? bound)
    {
        var request = new PickRequest(random, nowMs, []) { Key = _key };
        var reservation = Backend.Reserve(in request, out bound, out _trial);
        if (reservation == Reservation.Taken)
        {
            Last = Endpoint = bound;
            _tried[_count++] = bound!.Id;
        }

        return reservation;
    }

    /// <summary>Puts the affinity's cookie into a 101, if the client has not got it.</summary>
    public void AppendCookie(ByteBuffer response, long nowSeconds)
    {
        if (_plan is null || !_plan.SetsCookie(in _key, Endpoint!))
            return;
        response.RemoveLast(2);
        response.Append("Set-Cookie: "u8);
        _plan.WriteCookie(response, Endpoint!, IsSecure, nowSeconds);
        response.Append("\r\n\r\n"u8);
    }

    /// <summary>Reserves an endpoint not tried before, ahead of those that wait. False: there is none.</summary>
    public bool TryNext(Random random, long nowMs)
    {
        Release(nowMs);
        if (!MayRetry)
            return false;
        var request = new PickRequest(random, nowMs, _tried.AsSpan(0, _count)) { IsAhead = true, Key = _key };
        if (Backend.Reserve(in request, out var endpoint, out _trial) != Reservation.Taken)
            return false;
        Last = Endpoint = endpoint!;
        _tried[_count++] = Endpoint.Id;
        return true;
    }

    /// <summary>The attempt failed in a way that speaks against the endpoint.</summary>
    public void Fail(long nowMs)
    {
        if (Endpoint is not null)
            Backend.Ejections.Failed(Endpoint, _trial, nowMs, isHandshake: true);
    }

    /// <summary>The endpoint's 101 was good.</summary>
    public void Succeed(long nowMs) => Backend.Ejections.Upgraded(Endpoint!, nowMs);

    /// <summary>Gives the place back, and the trial when it came to no result.</summary>
    public void Release(long nowMs)
    {
        if (Endpoint is null)
            return;
        Backend.Ejections.GiveBack(Endpoint, _trial, nowMs);
        Endpoint.Release();
        Backend.EndHandshake(Endpoint, nowMs);
        Endpoint = null;
    }

    /// <summary>The handshake ended without a connection: everything is given back.</summary>
    public void Leave(in NativeAddress client, long nowMs)
    {
        Auth?.Abandon();
        Auth = null;
        Backend.Counts.Release(in Claims, client);
        Claims = default;
        Release(nowMs);
        Backend.Queue.Leave(Place, nowMs);
    }

    /// <summary>The handshake is done; the place stays taken, by the established connection.</summary>
    public EndpointState Establish(long nowMs)
    {
        var endpoint = Endpoint!;
        Backend.EndHandshake(endpoint, nowMs);
        Endpoint = null;
        return endpoint;
    }
}
