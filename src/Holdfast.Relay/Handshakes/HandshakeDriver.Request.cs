using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;
using Holdfast.Wire.Proxy;

namespace Holdfast.Relay.Handshakes;

/// <summary>The client's side of a handshake, up to its request: the PROXY protocol header, where there must be one, and the head.</summary>
internal sealed partial class HandshakeDriver
{
    private void ReadRequest(int index, ref Pair pair)
    {
        ref var leg = ref pair.Down;
        while (leg.Has(LegFlags.Readable))
        {
            var n = Sys.Receive(leg.Fd, _core.Buffer.AsSpan(LoopCore.Headroom, LoopCore.ReadSize));
            if (n == -(int)Errno.Again)
            {
                leg.Flags &= ~LegFlags.Readable;
                return;
            }

            if (n <= 0)
            {
                Abandon(index, ref pair, HandshakeEnd.ClientGone);
                return;
            }

            if (n < LoopCore.ReadSize && !leg.Has(LegFlags.HungUp))
                leg.Flags &= ~LegFlags.Readable;
            ReadOnlySpan<byte> bytes = _core.Buffer.AsSpan(LoopCore.Headroom, n);
            var handshake = pair.HandshakeIndex < 0 ? Begin(index, ref pair) : HandshakeOf(in pair);
            var searched = handshake.Received.Length;
            var isKept = searched > 0;
            if (isKept)
            {
                handshake.Received.Append(bytes);
                bytes = handshake.Received.Bytes;
            }

            if (pair.State == PairState.ReadingProxyHeader)
            {
                var status = ProxyHeader.Parse(bytes, out var header, out var length);
                if (status == ProxyHeaderStatus.Malformed)
                {
                    CloseUnanswered(index, ref pair, handshake);
                    return;
                }

                if (status == ProxyHeaderStatus.NeedMore)
                {
                    if (!isKept)
                        handshake.Received.Append(bytes);
                    continue;
                }

                if (header.HasSource)
                    pair.Client = handshake.Client = handshake.Peer = NativeAddress.From(header.Address, header.Port);
                // From here on it is as if the connection began with the request.
                searched = 0;
                if (isKept)
                    handshake.Received.RemoveFirst(length);
                bytes = isKept ? handshake.Received.Bytes : bytes[length..];
                if (_policy.IsHandedOffUnread(pair.ListenerId))
                {
                    AwaitHandOff(index, ref pair, handshake, bytes);
                    return;
                }

                pair.State = PairState.ReadingRequest;
            }

            var end = HeadEnd.Find(bytes, searched);
            if (end < 0 ? bytes.Length > MaxHead : end > MaxHead)
            {
                Fault(index, ref pair, handshake, RequestFault.HeadTooLarge);
                return;
            }

            if (end >= 0)
            {
                OnRequest(index, ref pair, handshake, bytes, end);
                return;
            }

            if (HasBareLineFeed(bytes, searched))
            {
                // An empty line of bare LFs would never end the head by our rules: say so now, not at the time-out.
                Fault(index, ref pair, handshake, RequestFault.BareLineFeed);
                return;
            }

            if (!isKept)
                handshake.Received.Append(bytes);
        }
    }

    /// <summary>Whether there is one after the first <paramref name="searched"/> bytes: those of a head that comes in many small pieces are not looked at again each time.</summary>
    private static bool HasBareLineFeed(ReadOnlySpan<byte> bytes, int searched)
    {
        for (int next; (next = bytes[searched..].IndexOf((byte)'\n')) >= 0; searched += next + 1)
        {
            if (searched + next == 0 || bytes[searched + next - 1] != '\r')
                return true;
        }

        return false;
    }

    private void OnRequest(int index, ref Pair pair, Handshake handshake, ReadOnlySpan<byte> bytes, int end)
    {
        handshake.Now = _core.Now;
        var step = _policy.OnRequest(handshake, bytes[..end]);
        if (step == HandshakeStep.HandOff)
        {
            if (handshake.IsLinked)
                Fault(index, ref pair, handshake, RequestFault.NoUpgrade);
            else
                HandOff(index, ref pair, handshake, bytes);
            return;
        }

        handshake.Early.Append(bytes[end..]);
        Advance(index, ref pair, handshake, step);
    }

    /// <summary>For want of a good PROXY protocol header. Whoever is there speaks no HTTP yet, or is not to be spoken to.</summary>
    private void CloseUnanswered(int index, ref Pair pair, Handshake handshake)
    {
        _policy.OnRequestFault(handshake, RequestFault.BadProxyHeader);
        Abandon(index, ref pair, HandshakeEnd.Refused);
    }
}
