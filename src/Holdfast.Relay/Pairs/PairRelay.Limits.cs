using System.Globalization;
using System.Text.Unicode;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>The end of a pair whose client sent more than it may.</summary>
internal sealed partial class PairRelay
{
    /// <summary>Bytes of a Close frame's reason at most: the longest of <see cref="WriteLimit"/>, with ten digits; <see cref="ReturnPacing"/> needs less.</summary>
    private const int MaxReason = 40;

    /// <summary>The client's scanner has begun a data frame that is over a limit; what came before it was passed on. False: the pair is gone.</summary>
    internal bool OnLimitReached(int index, ref Pair pair, EndReason limit)
    {
        // Nothing of that frame reaches the endpoint, whose Close therefore need not wait for its end.
        pair.Down.Scanner.TakeBack();
        var code = limit == EndReason.MessageTooBig ? CloseCode.MessageTooBig : CloseCode.PolicyViolation;
        return Close(index, limit, EndSide.Downstream, code, CloseCode.GoingAway);
    }

    /// <summary>Tells in a Close frame's reason what the limit is; how many bytes that takes.</summary>
    private static int WriteLimit(in Pair pair, Span<byte> reason)
    {
        ref readonly var settings = ref pair.Settings;
        int written;
        if (pair.EndReason == EndReason.MessageTooBig)
            _ = Utf8.TryWrite(reason, CultureInfo.InvariantCulture, $"message over {settings.MessageBytes} bytes", out written);
        else
            _ = Utf8.TryWrite(reason, CultureInfo.InvariantCulture, $"more than {settings.MessagesPerSecond} messages per second", out written);
        return written;
    }
}
