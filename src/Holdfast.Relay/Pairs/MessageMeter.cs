using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// What a client has used of <see cref="PairSettings.MessageBytes"/> and <see cref="PairSettings.MessagesPerSecond"/>, judged by the headers of its data
/// frames alone. The rate is a token bucket that holds a second's worth and is full at first. Control frames are neither measured nor counted.
/// </summary>
internal struct MessageMeter
{
    private const int Message = 1000;

    /// <summary>Thousandths of messages that the bucket lacked at <see cref="_lackedAt"/>; a millisecond gives back one for each message per second.</summary>
    private long _lacking;
    private long _lackedAt;

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

    private bool TryTake(int perSecond, long now)
    {
        // After a second it is full, whatever it lacked: no longer time is multiplied.
        _lacking = Math.Max(0, _lacking - (Math.Min(now - _lackedAt, Message) * perSecond));
        _lackedAt = now;
        if (_lacking > (long)Message * (perSecond - 1))
            return false;
        _lacking += Message;
        return true;
    }
}
