using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Links;

/// <summary>Where the body of a refusal ends, and what of it is for the client.</summary>
/// <param name="isDecoded">The client's protocol has no chunks: it gets what is in them.</param>
internal sealed class AnswerBody(LinkAnswer answer, bool isDecoded)
{
    private long _remaining = Math.Max(0, answer.ContentLength);
    private ChunkedScanner _chunks;

    /// <summary>All of it was taken.</summary>
    public bool IsDone => answer.Framing switch
    {
        BodyFraming.Length => _remaining == 0,
        BodyFraming.Chunked => _chunks.IsDone,
        BodyFraming.UntilEnd => false,
        _ => true,
    };

    public bool IsBroken { get; private set; }

    public bool EndsWithConnection => answer.Framing == BodyFraming.UntilEnd;

    /// <summary>Takes bytes of the body; how many.</summary>
    /// <param name="content">How many of them the client gets: all or none.</param>
    public int Take(ReadOnlySpan<byte> bytes, out int content)
    {
        int taken;
        switch (answer.Framing)
        {
            case BodyFraming.Length:
                content = taken = (int)Math.Min(bytes.Length, _remaining);
                _remaining -= taken;
                return taken;
            case BodyFraming.Chunked when isDecoded:
                IsBroken = _chunks.NextPart(bytes, out taken, out var part) == ChunkStatus.Error;
                content = part == ChunkPart.Data ? taken : 0;
                return taken;
            case BodyFraming.Chunked:
                IsBroken = _chunks.Next(bytes, out taken) == ChunkStatus.Error;
                content = taken;
                return taken;
            default:
                content = taken = bytes.Length;
                return taken;
        }
    }
}
