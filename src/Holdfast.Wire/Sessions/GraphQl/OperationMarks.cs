namespace Holdfast.Wire.Sessions.GraphQl;

/// <summary>What is known of one operation, and where it is. A subscription that is on no endpoint is sent again with the next move.</summary>
[Flags]
internal enum OperationMarks : byte
{
    None = 0,

    /// <summary>A query, a mutation or what cannot be told: it runs once, where it was first sent.</summary>
    Request = 1,
    OnCurrent = 2,
    OnPrevious = 4,

    /// <summary>Its subscribe message waits with the client's other messages.</summary>
    Waiting = 8,

    /// <summary>A subscription whose message was too much to keep: it cannot be moved.</summary>
    Unkept = 16,
}
