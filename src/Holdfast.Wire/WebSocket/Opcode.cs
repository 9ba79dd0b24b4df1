namespace Holdfast.Wire.WebSocket;

/// <summary>The opcodes a frame may carry (RFC 6455 section 5.2); 3 to 7 and 11 to 15 are reserved.</summary>
public enum Opcode : byte
{
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// <summary>Who sends the frames being read: clients must mask, servers must not (RFC 6455 section 5.1).</summary>
public enum FrameSender : byte
{
    Client,
    Server,
}

/// <summary>How the three reserved bits are judged, by what the 101 accepted. Ordered from strict to lax.</summary>
public enum ReservedBits : byte
{
    /// <summary>No extension: any reserved bit is an error (RFC 6455 section 5.2).</summary>
    Refused,

    /// <summary>permessage-deflate alone: RSV1 on the first frame of a message only (RFC 7692 section 6).</summary>
    CompressionOnly,

    /// <summary>An extension we do not know: the bits mean what it says.</summary>
    NotJudged,
}
