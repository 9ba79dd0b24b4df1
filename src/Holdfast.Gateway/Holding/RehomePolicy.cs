using System.Security.Cryptography;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Holding;

/// <summary>
/// The gateway's decisions about who takes a held connection over, one instance per loop, on its thread. Each dial is one attempt: whether another
/// follows, and when, is the relay's business.
/// </summary>
internal sealed class RehomePolicy(GatewayRuntime runtime, IConnectionTelemetry telemetry, Random random, Action<Exception> onBug) : IRehomePolicy
{
    private readonly Stack<Attempt> _idle = new();

    public bool HasOther(int backendId, int endpointId) => Pick(runtime.BackendOf(backendId), [endpointId]) is not null;

    public bool IsLeaving(int endpointId) => runtime.EndpointOf(endpointId).Phase is EndpointPhase.Draining or EndpointPhase.Gone;

    public bool TryPrepare(Handshake handshake, in RehomeRequest request)
    {
        var backend = runtime.BackendOf(request.BackendId);
        var endpoint = Pick(backend, request.Tried);
        long trial = 0;
        if (endpoint is null || !endpoint.TryReserve(RoomIn(backend)))
        {
            var pick = new PickRequest(random, handshake.Now, request.Tried) { IsAhead = true };
            if (backend.Reserve(in pick, out endpoint, out trial) != Reservation.Taken)
                return false;
        }

        if (!_idle.TryPop(out var attempt))
            attempt = new Attempt();
        (attempt.Backend, attempt.Endpoint, attempt.Trial) = (backend, endpoint!, trial);
        Span<byte> bytes = stackalloc byte[AcceptKey.KeyBytes];
        Span<byte> key = stackalloc byte[AcceptKey.KeyLength];
        RandomNumberGenerator.Fill(bytes);
        AcceptKey.NewKey(bytes, key);
        AcceptKey.Compute(key, attempt.ExpectedAccept);
        UpgradeHeads.WriteAgain(handshake.UpstreamRequest, request.Head, key, request.Number);
        handshake.PolicyState = attempt;
        handshake.Settings = new Relay.Pairs.PairSettings { BackendId = backend.Id, EndpointId = endpoint!.Id };
        handshake.Target = endpoint.Resolved?.Address ?? default;
        handshake.Dialer = backend.DialerOf(endpoint);
        return true;
    }

    public HandshakeStep OnDialFailed(Handshake handshake, DialFailure failure)
    {
        if (failure is not (DialFailure.LocalResources or DialFailure.NoAddress))
            Fail(handshake);
        return Refuse(handshake, RedialFailure.Unavailable);
    }

    public HandshakeStep OnResponse(Handshake handshake, ReadOnlySpan<byte> head)
    {
        try
        {
            return Judge(handshake, head);
        }
        catch (Exception e)
        {
            // A bug here fails one attempt, not the connections of everyone else.
            onBug(e);
            return Refuse(handshake, RedialFailure.Refused);
        }
    }

    public void OnDialed(Handshake handshake)
    {
        var attempt = (Attempt)handshake.PolicyState!;
        attempt.Backend.Ejections.Upgraded(attempt.Endpoint, handshake.Now);
        attempt.Backend.EndHandshake(attempt.Endpoint, handshake.Now);
        Recycle(handshake);
    }

    public void OnHandshakeEnded(Handshake handshake, HandshakeEnd end)
    {
        if (handshake.PolicyState is not Attempt attempt)
            return;
        attempt.Backend.Ejections.GiveBack(attempt.Endpoint, attempt.Trial, handshake.Now);
        attempt.Endpoint.Release();
        attempt.Backend.EndHandshake(attempt.Endpoint, handshake.Now);
        Recycle(handshake);
    }

    public void Release(int endpointId) => runtime.EndpointOf(endpointId).Release();

    public void OnRehomed(in RehomeEnd end) => telemetry.OnRehomed(in end, runtime.BackendOf(end.BackendId));

    public void OnBug(Exception exception) => onBug(exception);

    private HandshakeStep Judge(Handshake handshake, ReadOnlySpan<byte> head)
    {
        var attempt = (Attempt)handshake.PolicyState!;
        if (ResponseHead.TryParse(head, out var response) != ResponseFault.None)
        {
            Fail(handshake);
            return Refuse(handshake, RedialFailure.Refused);
        }

        switch (response.Status)
        {
            case 101 when !UpgradeRules.IsSwitched(in response, attempt.ExpectedAccept):
                Fail(handshake);
                return Refuse(handshake, RedialFailure.Refused);
            case 101:
                // The client was told the first endpoint's sub-protocol, and that there is no extension.
                var isSame = UpgradeRules.SubProtocolOf(in response) == handshake.SubProtocol
                    && response.Count(ResponseHeader.SecWebSocketExtensions) == 0;
                return isSame ? HandshakeStep.Upgrade : Refuse(handshake, RedialFailure.Refused);
            case < 200:
                return HandshakeStep.AwaitNext;
            case 401 or 403:
                return Refuse(handshake, RedialFailure.Final);
            case 429 or 502 or 503 or 504:
                return Refuse(handshake, RedialFailure.Unavailable);
            default:
                return Refuse(handshake, RedialFailure.Refused);
        }
    }

    /// <summary>
    /// The ready and healthy endpoint with the fewest connections, of those the one that became ready last. Slow start is for new handshakes: its
    /// rate bounds a re-home, and an empty endpoint is what a roll moves to.
    /// </summary>
    private static EndpointState? Pick(BackendState backend, ReadOnlySpan<int> excluded)
    {
        EndpointState? best = null;
        var room = RoomIn(backend);
        foreach (var endpoint in backend.Endpoints)
        {
            if (endpoint.Phase != EndpointPhase.Ready || !room.Has(endpoint) || endpoint.Health != EndpointHealth.Healthy || excluded.Contains(endpoint.Id))
                continue;
            var order = best is null ? -1 : endpoint.InUse.CompareTo(best.InUse);
            if (order < 0 || (order == 0 && endpoint.ReadySince > best!.ReadySince))
                best = endpoint;
        }

        return best;
    }

    /// <summary>A held connection takes its place under the endpoint's limit like any other, but does not wait for its handshakes.</summary>
    private static EndpointRoom RoomIn(BackendState backend) => new(backend.Options.Limits.ConnectionsPerEndpoint, Handshakes: 0);

    private static void Fail(Handshake handshake)
    {
        var attempt = (Attempt)handshake.PolicyState!;
        attempt.Backend.Ejections.Failed(attempt.Endpoint, attempt.Trial, handshake.Now, isHandshake: true);
    }

    private static HandshakeStep Refuse(Handshake handshake, RedialFailure failure)
    {
        // An endpoint that leaves is asked for want of another, and often serves plain requests only by then: that is no answer for those to come.
        var isLeaving = ((Attempt)handshake.PolicyState!).Endpoint.Phase is EndpointPhase.Draining or EndpointPhase.Gone;
        handshake.Failure = failure == RedialFailure.Refused && isLeaving ? RedialFailure.Unavailable : failure;
        return HandshakeStep.Refuse;
    }

    private void Recycle(Handshake handshake)
    {
        _idle.Push((Attempt)handshake.PolicyState!);
        handshake.PolicyState = null;
    }

    private sealed class Attempt
    {
        public BackendState Backend { get; set; } = null!;

        public EndpointState Endpoint { get; set; } = null!;

        public long Trial { get; set; }

        public byte[] ExpectedAccept { get; } = new byte[AcceptKey.Length];
    }
}
