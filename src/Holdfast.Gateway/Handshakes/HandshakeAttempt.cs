using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Handshakes;

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

    public BackendState Backend { get; private set; } = null!;

    /// <summary>A connection is reserved on it while it is not null.</summary>
    public EndpointState? Endpoint { get; private set; }

    /// <summary>The one tried last, held or not.</summary>
    public EndpointState? Last { get; private set; }

    public byte[] ExpectedAccept { get; } = new byte[AcceptKey.Length];

    /// <summary>The client's offered sub-protocols, as one comma list; null: none.</summary>
    public byte[]? OfferedProtocols { get; set; }

    /// <summary>How the connection is to be held; null: it is not. As configured when the request came.</summary>
    public HoldSettings? Hold { get; set; }

    public bool MayRetry => _count < Most;

    /// <summary>Whether another endpoint could be tried after the one now held.</summary>
    public bool HasOther => MayRetry && Backend.HasHealthyBut(_tried.AsSpan(0, _count));

    /// <summary>Starts over, for another handshake.</summary>
    public void Begin(BackendState backend)
    {
        Backend = backend;
        Endpoint = Last = null;
        OfferedProtocols = null;
        Hold = null;
        _count = 0;
        _trial = 0;
    }

    /// <summary>Reserves an endpoint not tried before. False: there is none.</summary>
    public bool TryNext(Random random, long nowMs)
    {
        Release(nowMs);
        if (!MayRetry)
            return false;
        var request = new PickRequest(random, nowMs, _tried.AsSpan(0, _count)) { IsAhead = true };
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
        Endpoint.EndHandshake();
        Endpoint.Release();
        Endpoint = null;
    }

    /// <summary>The handshake is done; the place stays taken, by the established connection.</summary>
    public EndpointState Establish()
    {
        var endpoint = Endpoint!;
        endpoint.EndHandshake();
        Endpoint = null;
        return endpoint;
    }
}
