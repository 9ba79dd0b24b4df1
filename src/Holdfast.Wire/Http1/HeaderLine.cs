namespace Holdfast.Wire.Http1;

/// <summary>One header line: its name as sent, and its value without the white space around it.</summary>
public readonly ref struct HeaderLine
{
    private HeaderLine(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Name = name;
        Value = value;
    }

    /// <summary>A token.</summary>
    public ReadOnlySpan<byte> Name { get; }

    /// <summary>Perhaps empty.</summary>
    public ReadOnlySpan<byte> Value { get; }

    /// <summary>Reads a line without its CR LF that <see cref="HeadRules.CrLfOnly"/> has passed.</summary>
    internal static ResponseFault TryParse(ReadOnlySpan<byte> line, out HeaderLine parsed)
    {
        parsed = default;
        if (line[0] is (byte)' ' or (byte)'\t')
            return ResponseFault.FoldedLine;
        int colon = line.IndexOf((byte)':');
        if (colon < 0)
            return ResponseFault.ColonMissing;
        if (!HeadRules.IsToken(line[..colon]))
            return ResponseFault.Name;
        parsed = new HeaderLine(line[..colon], line[(colon + 1)..].Trim(" \t"u8));
        return ResponseFault.None;
    }

    internal static ResponseHeader Known(ReadOnlySpan<byte> name) => name.Length switch
    {
        7 when HeadRules.NameEquals(name, "Upgrade"u8) => ResponseHeader.Upgrade,
        10 when HeadRules.NameEquals(name, "Connection"u8) => ResponseHeader.Connection,
        14 when HeadRules.NameEquals(name, "Content-Length"u8) => ResponseHeader.ContentLength,
        17 when HeadRules.NameEquals(name, "Transfer-Encoding"u8) => ResponseHeader.TransferEncoding,
        20 when HeadRules.NameEquals(name, "Sec-WebSocket-Accept"u8) => ResponseHeader.SecWebSocketAccept,
        22 when HeadRules.NameEquals(name, "Sec-WebSocket-Protocol"u8) => ResponseHeader.SecWebSocketProtocol,
        24 when HeadRules.NameEquals(name, "Sec-WebSocket-Extensions"u8) => ResponseHeader.SecWebSocketExtensions,
        _ => ResponseHeader.Other,
    };
}
