namespace Holdfast.Wire.WebSocket;

/// <summary>What one call of <see cref="FrameScanner.Next"/> found.</summary>
public enum ScanStatus : byte
{
    /// <summary>Nothing consumed: the input is empty, or a strict prefix of a header or of a control frame.</summary>
    NeedMore,

    /// <summary>A header, a piece of payload, or both, of one data frame.</summary>
    Data,

    /// <summary>One whole control frame.</summary>
    Control,

    /// <summary>The stream breaks the frame grammar; nothing consumed, now and in every later call.</summary>
    Error,
}

/// <summary>How a stream broke the frame grammar of RFC 6455 section 5. All of them are a protocol error (1002).</summary>
public enum FrameError : byte
{
    None,

    /// <summary>A reserved bit that the accepted extensions do not allow here.</summary>
    ReservedBitsSet,

    /// <summary>Opcode 3 to 7 or 11 to 15.</summary>
    ReservedOpcode,

    /// <summary>A control frame without FIN.</summary>
    ControlFragmented,

    /// <summary>A control frame of more than 125 payload bytes.</summary>
    ControlTooLong,

    /// <summary>A length in more bytes than it needs.</summary>
    LengthNotShortest,

    /// <summary>A 64-bit length with its top bit set.</summary>
    LengthTopBitSet,

    /// <summary>An unmasked frame from a client.</summary>
    MaskMissing,

    /// <summary>A masked frame from a server.</summary>
    MaskForbidden,

    /// <summary>A continuation frame while no message is under way.</summary>
    UnexpectedContinuation,

    /// <summary>A text or binary frame while a fragmented message is under way.</summary>
    UnfinishedMessage,
}
