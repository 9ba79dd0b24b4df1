using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Links;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>Ends of legs that are socket pairs, where the descriptor tells less than a TCP socket's.</summary>
internal sealed partial class PairRelay
{
    /// <summary>What a leg's end means. Of a link the descriptor does not tell: unread input makes a reset of an end in order.</summary>
    private EndReason EndReasonOf(in Leg leg, Side side, bool failed)
    {
        var end = leg.Has(LegFlags.Linked) ? _core.LinkOf(in leg).End : failed ? LinkEnd.Reset : LinkEnd.Eof;
        return end switch
        {
            LinkEnd.Eof => side == Side.Downstream ? EndReason.DownstreamEof : EndReason.UpstreamEof,
            LinkEnd.Stalled => side == Side.Downstream ? EndReason.DownstreamStalled : EndReason.UpstreamStalled,
            _ => side == Side.Downstream ? EndReason.DownstreamReset : EndReason.UpstreamReset,
        };
    }

    /// <summary>Scans what ends at the end of the last read. A peer that breaks the protocol is not understood any more: it gets its time like one that says nothing.</summary>
    private void LookForClose(ref Pair pair, ref Leg from, ReadOnlySpan<byte> data)
    {
        var unscanned = pair.Held == 0 ? from.Held.Bytes : from.Held.Bytes[^from.Unscanned..];
        if (!unscanned.IsEmpty)
        {
            // They end where a read did, so this one begins behind the headroom.
            var offset = LoopCore.Headroom - unscanned.Length;
            unscanned.CopyTo(_core.Buffer.AsSpan(offset));
            data = _core.Buffer.AsSpan(offset, unscanned.Length + data.Length);
        }

        from.Held.Release();
        from.Unscanned = 0;
        while (!data.IsEmpty)
        {
            var status = from.Scanner.Next(data, out var consumed);
            if (status == ScanStatus.NeedMore)
            {
                from.Held.Append(data);
                from.Unscanned = (byte)data.Length;
                return;
            }

            if (status == ScanStatus.Control && from.Scanner.Opcode == Opcode.Close)
                from.Flags |= LegFlags.CloseReceived;
            if (status == ScanStatus.Error || from.Has(LegFlags.CloseReceived))
                return;
            data = data[consumed..];
        }
    }
}
