using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;

namespace Holdfast.Relay.Handshakes;

/// <summary>Handshakes with a socket pair for a leg: requests that were read elsewhere, and endpoints that a dialer speaks to.</summary>
internal sealed partial class HandshakeDriver
{
    /// <summary>Nobody serves this request: whoever reads the pair's far end sees it end.</summary>
    public static void Reject(LinkedRequest request)
    {
        request.Link.OnLegClosed(aborted: true);
        Sys.Close(request.Fd);
    }

    /// <summary>A request that was read elsewhere.</summary>
    public void OnLinked(LinkedRequest request)
    {
        var index = _core.Rent();
        if (index < 0)
        {
            Reject(request);
            return;
        }

        ref var pair = ref _core.Pairs[index];
        pair.Down.Fd = request.Fd;
        _core.Link(ref pair.Down, request.Link);
        pair.Client = request.Peer;
        pair.ListenerId = request.ListenerId;
        pair.AcceptedAt = _core.Now;
        pair.State = PairState.ReadingRequest;
        pair.Settings.SpillCap = HandshakeSpill;
        if (!_core.RegisterNewcomer(index))
        {
            _core.Free(index, abort: true);
            return;
        }

        var handshake = Begin(index, ref pair);
        handshake.IsLinked = true;
        (handshake.IsSecure, handshake.IsCounted, handshake.ClientCertificate) = (request.IsSecure, request.IsCounted, request.ClientCertificate);
        ReadOnlySpan<byte> head = request.Head;
        if (head.Length > MaxHead)
            Fault(index, ref pair, handshake, RequestFault.HeadTooLarge);
        else if (HeadEnd.Find(head, 0) != head.Length)
            Fault(index, ref pair, handshake, RequestFault.NoUpgrade);
        else
            OnRequest(index, ref pair, handshake, head, head.Length);
    }

    /// <summary>A dialer has come to its end. Nothing happens when nobody waits for it (any more).</summary>
    public void OnDialed(DialTicket ticket, DialFailure? failure)
    {
        if ((uint)ticket.Index >= (uint)_handshakes.Count || _handshakes[ticket.Index] is not { PairIndex: >= 0 } handshake
            || handshake.Serial != ticket.Serial || handshake.Attempts != ticket.Attempt)
            return;
        var index = handshake.PairIndex;
        ref var pair = ref _core.Pairs[index];
        if (pair.State != PairState.Connecting || !pair.Up.Has(LegFlags.Linked))
            return;
        if (failure is null && !_core.Register(index, Side.Upstream))
            failure = DialFailure.LocalResources;
        if (failure is { } why)
            OnAttemptFailed(index, ref pair, handshake, why);
        else
            BeginRequest(index, ref pair, handshake);
    }

    /// <summary>As <see cref="Dial"/>. The pair's end is not registered before the dialer has connected the other.</summary>
    private DialFailure? DialLinked(int index, ref Pair pair, Handshake handshake, IUpstreamDialer dialer)
    {
        if (Sys.OpenPair(SocketLink.BufferSize, out var fd, out var farFd) < 0)
            return DialFailure.LocalResources;
        pair.Up.Fd = fd;
        if (Math.Max(fd, farFd) >= _core.DescriptorCap)
        {
            Sys.Close(farFd);
            return DialFailure.LocalResources;
        }

        pair.State = PairState.Connecting;
        ArmTimer(index, ref pair, Math.Min(handshake.AttemptDeadline, _core.Now + handshake.ConnectTimeout));
        _core.Link(ref pair.Up, dialer.Dial(farFd, handshake.Target, new DialTicket(handshake.Index, handshake.Serial, handshake.Attempts), _loop!));
        return null;    // Its answer comes through the inbox.
    }
}
