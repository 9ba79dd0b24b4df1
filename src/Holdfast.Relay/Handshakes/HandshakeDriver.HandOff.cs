using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Handshakes;

/// <summary>Connections that are for others: plain requests, once read, and whole listeners, unread.</summary>
internal sealed partial class HandshakeDriver
{
    private void HandOff(int index, ref Pair pair, Handshake handshake, ReadOnlySpan<byte> bytes)
    {
        // The description lives on elsewhere: it must leave this epoll first.
        _core.Newcomers.Unregister(pair.Down.Fd);
        if (!_policy.HandOff(handshake, pair.Down.Fd, bytes))
        {
            if (!handshake.IsSecure && _core.RegisterNewcomer(index))
                Refuse(index, ref pair, handshake);
            else
                Abandon(index, ref pair, HandshakeEnd.Refused);
            return;
        }

        pair.Down.Fd = -1;
        Release(ref pair);
        _core.Free(index);
    }

    /// <summary>The PROXY protocol header was read, and maybe more.</summary>
    private void AwaitHandOff(int index, ref Pair pair, Handshake handshake, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            // The pair has what is known by now.
            Release(ref pair);
            pair.State = PairState.AwaitingHandOff;
            if (pair.Down.Has(LegFlags.Readable))
                HandOffUnread(index, ref pair);
            return;
        }

        handshake.IsSecure = true;
        HandOff(index, ref pair, handshake, bytes);
    }

    /// <summary>Something has come, or its end: who connects and leaves without a word (a balancer's check) is nobody else's business.</summary>
    private void HandOffUnread(int index, ref Pair pair)
    {
        var n = Sys.Peek(pair.Down.Fd);
        if (n == -(int)Errno.Again)
            return;
        if (n <= 0)
        {
            Abandon(index, ref pair, HandshakeEnd.ClientGone);
            return;
        }

        var handshake = Begin(index, ref pair);
        handshake.IsSecure = true;
        HandOff(index, ref pair, handshake, []);
    }
}
