using Holdfast.Wire.Http1;

namespace Holdfast.Wire.WebSocket;

/// <summary>What the extensions accepted in a 101 mean for the frames that follow (RFC 6455 section 9.1).</summary>
public static class Extensions
{
    private static ReadOnlySpan<byte> PermessageDeflate => "permessage-deflate"u8;

    /// <summary>
    /// How reserved bits are judged under the VALUE of a response's <c>Sec-WebSocket-Extensions</c>: nothing listed, Refused; permessage-deflate
    /// alone, with any parameters, CompressionOnly; anything else, also what cannot be read, NotJudged.
    /// Of several such headers the greatest result counts.
    /// </summary>
    public static ReservedBits Judge(ReadOnlySpan<byte> value)
    {
        var judged = ReservedBits.Refused;
        while (!value.IsEmpty)
        {
            int end = EndOfElement(value);
            ReadOnlySpan<byte> element = value[..end].Trim(" \t"u8);
            value = end < value.Length ? value[(end + 1)..] : default;
            if (element.IsEmpty)
                continue;

            int parameters = element.IndexOf((byte)';');
            ReadOnlySpan<byte> name = (parameters < 0 ? element : element[..parameters]).TrimEnd(" \t"u8);
            if (!name.SequenceEqual(PermessageDeflate))
                return ReservedBits.NotJudged;
            judged = ReservedBits.CompressionOnly;
        }

        return judged;
    }

    /// <summary>The same over all <c>Sec-WebSocket-Extensions</c> lines of a response.</summary>
    public static ReservedBits Judge(in ResponseHead response)
    {
        var judged = ReservedBits.Refused;
        if (response.Count(ResponseHeader.SecWebSocketExtensions) != 0)
        {
            foreach (HeaderLine line in response)
            {
                if (HeaderLine.Known(line.Name) == ResponseHeader.SecWebSocketExtensions)
                    judged = (ReservedBits)Math.Max((byte)judged, (byte)Judge(line.Value));
            }
        }

        return judged;
    }

    /// <summary>The index of the comma that ends the first element, not counting commas in a quoted string, or the length.</summary>
    private static int EndOfElement(ReadOnlySpan<byte> value)
    {
        bool quoted = false;
        for (int i = 0; i < value.Length; i++)
        {
            switch (value[i])
            {
                case (byte)'"':
                    quoted = !quoted;
                    break;
                case (byte)'\\' when quoted:
                    i++;
                    break;
                case (byte)',' when !quoted:
                    return i;
            }
        }

        return value.Length;
    }
}
