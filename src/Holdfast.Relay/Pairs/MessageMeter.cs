using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// What a client has used of <see cref="PairSettings.MessageBytes"/> and <see cref="PairSettings.MessagesPerSecond"/>, judged by the headers of its data
/// frames alone. The rate is a token bucket that holds a second's worth and is full at first. Control frames are neither measured nor counted.
/// </summary>
internal struct MessageMeter
{
    /// <summary>Milliseconds in which an empty bucket fills.</summary>
    private const int Second = 1000;

    /// <summary>When the bucket is full again: so many milliseconds, and so many parts of one, of which a millisecond has as many as messages are allowed in a second.</summary>
    private long _fullAt;
    private int _fullAtParts;

    /// <summary>Payload bytes of the message under way: its frames so far, each as long as it said.</summary>
    private int _bytes;

    /// <summary>Judges the data frame that <paramref name="scanner"/> has just begun, before any of it is passed on. None: it passes, and counts.</summary>
    public EndReason Judge(in FrameScanner scanner, in PairSettings settings, long now)
    {
        var begins = scanner.Opcode != Opcode.Continuation;
        if (begins)
            _bytes = 0;
        if (settings.MessageBytes > 0)
        {
            if (scanner.PayloadLength > (ulong)(settings.MessageBytes - _bytes))
                return EndReason.MessageTooBig;
            _bytes += (int)scanner.PayloadLength;
        }

        return begins && settings.MessagesPerSecond > 0 && !TryTake(settings.MessagesPerSecond, now) ? EndReason.MessageRate : EndReason.None;
    }

    /// <summary>Each message puts off when the bucket is full, exactly; by more than a second it cannot be.</summary>
    private bool TryTake(int perSecond, long now)
    {
        var (at, parts) = _fullAt < now ? (now, 0L) : (_fullAt, _fullAtParts);
        var (whole, rest) = Math.DivRem(Second, perSecond);
        at += whole;
        parts += rest;
        if (parts >= perSecond)
        {
            at++;
            parts -= perSecond;
        }

        if (at - now > Second || (at - now == Second && parts > 0))
            return false;
        (_fullAt, _fullAtParts) = (at, (int)parts);
        return true;
    }
}
