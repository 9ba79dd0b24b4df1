using System.Buffers.Binary;
using System.Text.Unicode;

namespace Holdfast.Wire.WebSocket;

/// <summary>The registered close codes (IANA "WebSocket Close Code Number Registry"); 3000 to 4999 are libraries' and applications' own.</summary>
public enum CloseCode : ushort
{
    Normal = 1000,
    GoingAway = 1001,
    ProtocolError = 1002,
    UnsupportedData = 1003,

    /// <summary>Never on the wire: stands for a Close without a code.</summary>
    NoStatus = 1005,

    /// <summary>Never on the wire: stands for an end without a Close.</summary>
    Abnormal = 1006,
    InvalidPayload = 1007,
    PolicyViolation = 1008,
    MessageTooBig = 1009,
    MandatoryExtension = 1010,
    InternalError = 1011,
    ServiceRestart = 1012,
    TryAgainLater = 1013,
    BadGateway = 1014,

    /// <summary>Never on the wire: stands for a failed TLS handshake.</summary>
    TlsHandshake = 1015,
}

/// <summary>What RFC 6455 section 7.4 and the registry say of a code.</summary>
public static class CloseCodes
{
    /// <summary>Whether a Close frame may carry the code: 1000-1003, 1007-1014, 3000-4999.</summary>
    public static bool MayBeSent(ushort code) => code is (>= 1000 and <= 1003) or (>= 1007 and <= 1014) or (>= 3000 and <= 4999);
}

/// <summary>The payload of a Close frame (RFC 6455 section 5.5.1).</summary>
public static class ClosePayload
{
    /// <summary>Reads code and reason.</summary>
    /// <param name="unmaskedPayload">The whole payload, at most 125 bytes.</param>
    /// <param name="code">0 when the payload is empty, which is legal.</param>
    /// <param name="reason">UTF-8, a slice of the payload.</param>
    /// <returns>False for one byte alone, a code that may not be sent, or a reason that is not UTF-8.</returns>
    public static bool TryParse(ReadOnlySpan<byte> unmaskedPayload, out ushort code, out ReadOnlySpan<byte> reason)
    {
        code = 0;
        reason = default;
        if (unmaskedPayload.IsEmpty)
            return true;
        if (unmaskedPayload.Length < sizeof(ushort))
            return false;

        ushort sent = BinaryPrimitives.ReadUInt16BigEndian(unmaskedPayload);
        ReadOnlySpan<byte> text = unmaskedPayload[sizeof(ushort)..];
        if (!CloseCodes.MayBeSent(sent) || !Utf8.IsValid(text))
            return false;
        code = sent;
        reason = text;
        return true;
    }
}
