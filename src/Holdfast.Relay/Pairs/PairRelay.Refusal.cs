using Holdfast.Relay.Handshakes;
using Holdfast.Wire.Http1;

namespace Holdfast.Relay.Pairs;

/// <summary>The endpoint said no: its answer, body included, moves to the client, byte for byte, and both connections close after it.</summary>
internal sealed partial class PairRelay
{
    /// <summary>The whole of a refusal's body may take this long, however slow its reader.</summary>
    private const int RefusalTimeout = 30_000;

    /// <summary>The head was sent; the body follows from what was already received and what comes.</summary>
    public bool RelayRefusal(int index, ResponseBody body, ReadOnlySpan<byte> received)
    {
        ref var pair = ref _core.Pairs[index];
        pair.State = PairState.RelayingRefusal;
        pair.Deadline = _core.Now + RefusalTimeout;
        pair.Refusal = new RefusalBody { Framing = body.Framing, Remaining = body.Length, Chunks = default };
        ArmTimer(index, ref pair);
        if (body.Framing == BodyFraming.None || (body.Framing == BodyFraming.Length && body.Length == 0))
            return CloseRefused(index, CloseTimeout);
        return OnRefusalBody(index, ref pair, received) && pair.State == PairState.RelayingRefusal && Read(index, ref pair, Side.Upstream);
    }

    private bool OnRefusalBody(int index, ref Pair pair, ReadOnlySpan<byte> data)
    {
        ref var body = ref pair.Refusal;
        var complete = false;
        switch (body.Framing)
        {
            case BodyFraming.Length:
                data = data[..(int)Math.Min(data.Length, body.Remaining)];
                body.Remaining -= data.Length;
                complete = body.Remaining == 0;
                break;
            case BodyFraming.Chunked:
                var status = body.Chunks.Next(data, out var consumed);
                data = data[..consumed];
                complete = status != ChunkStatus.NeedMore;    // A malformed body ends here: the client sees it cut, as the endpoint cut it.
                break;
        }

        if (!Send(index, ref pair, Side.Downstream, data))
            return false;
        return !complete || CloseRefused(index, CloseTimeout);
    }

    private bool OnRefusalReadEnded(int index, ref Pair pair, Side side) => side == Side.Upstream
        ? CloseRefused(index, CloseTimeout)
        : EndNow(index, ref pair, EndReason.DownstreamEof, EndSide.Downstream);
}
