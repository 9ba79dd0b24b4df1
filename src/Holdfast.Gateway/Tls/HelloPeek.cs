using System.Buffers;
using System.IO.Pipelines;
using Holdfast.Wire.Tls;

namespace Holdfast.Gateway.Tls;

/// <summary>Looks at a client's first record, and leaves it where it is: the runtime tells its callbacks of the versions that a hello offers only while it is traced.</summary>
internal static class HelloPeek
{
    /// <summary>Whether the client offers TLS 1.3. Also ends when the client does, or at bytes that are no TLS.</summary>
    public static async ValueTask<bool> OffersTls13Async(PipeReader input, CancellationToken cancel)
    {
        while (true)
        {
            var read = await input.ReadAsync(cancel).ConfigureAwait(false);
            var missing = IsMissing(read.Buffer, out var offers);
            var ends = !missing || read.IsCompleted || read.IsCanceled;
            // Unexamined, so that TLS gets it at once.
            input.AdvanceTo(read.Buffer.Start, ends ? read.Buffer.Start : read.Buffer.End);
            if (ends)
                return offers;
        }
    }

    private static bool IsMissing(in ReadOnlySequence<byte> buffer, out bool offers)
    {
        offers = false;
        Span<byte> header = stackalloc byte[ClientHello.RecordHeader];
        var head = buffer.Slice(0, Math.Min(buffer.Length, ClientHello.RecordHeader));
        head.CopyTo(header);
        var length = ClientHello.LengthOf(header[..(int)head.Length]);
        if (length == 0)
            return false;
        if (length < 0 || buffer.Length < length)
            return true;
        var record = buffer.Slice(0, length);
        offers = ClientHello.OffersTls13(record.IsSingleSegment ? record.FirstSpan : record.ToArray());
        return false;
    }
}
