using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Sessions;

namespace Holdfast.Relay.Holding;

/// <summary>Where the replacement of a pair's upstream stands.</summary>
internal enum HoldStep : byte
{
    /// <summary>The current endpoint serves.</summary>
    None = 0,

    /// <summary>A planned re-home waits for its turn, still relaying.</summary>
    Budgeted,

    /// <summary>The client's messages wait for the pong that tells what the current endpoint has read.</summary>
    Fencing,

    /// <summary>The current endpoint may still owe answers.</summary>
    Quieting,

    /// <summary>The current endpoint was told 1001; what it says before its own Close still passes.</summary>
    Leaving,

    /// <summary>Another endpoint is to be dialled, at <see cref="HeldPair.DialAt"/>.</summary>
    Waiting,
    Dialing,

    /// <summary>The next endpoint is open, and has not answered what must be answered first.</summary>
    Greeting,
}

/// <summary>Where the old upstream stands after another took over.</summary>
internal enum PartStep : byte
{
    None = 0,

    /// <summary>Both serve.</summary>
    Overlapping,

    /// <summary>Ends what still runs on it.</summary>
    Ending,

    /// <summary>It was told 1001.</summary>
    Leaving,
}

[Flags]
internal enum HoldFlags : ushort
{
    None = 0,

    /// <summary>The client's messages are not passed up.</summary>
    Holding = 1 << 0,

    /// <summary>They shall not be, from the next message boundary on.</summary>
    HoldWanted = 1 << 1,

    /// <summary>The pair's endpoint is being drained.</summary>
    Planned = 1 << 2,

    /// <summary>The old endpoint may have owed something.</summary>
    CutShort = 1 << 3,

    /// <summary>A part of a client's message was passed up.</summary>
    UpOpen = 1 << 4,

    /// <summary>A part of a client's frame was passed up.</summary>
    UpInFrame = 1 << 5,

    /// <summary>A part of an endpoint's message was passed down.</summary>
    DownOpen = 1 << 6,

    /// <summary>A part of an endpoint's frame was passed down.</summary>
    DownInFrame = 1 << 7,

    /// <summary>The rest of the client's message goes nowhere.</summary>
    SwallowRest = 1 << 8,

    /// <summary>The current endpoint was told 1001.</summary>
    CloseSent = 1 << 9,

    /// <summary>The ping behind the last message of the move has been answered.</summary>
    OverlapBegun = 1 << 10,

    /// <summary>The client pinged the leg that is Previous, or was pinged by it.</summary>
    PongToPrevious = 1 << 11,

    /// <summary>The client's messages that wait end in the middle of a message, of a frame.</summary>
    KeptOpen = 1 << 12,
    KeptInFrame = 1 << 13,

    /// <summary>The session machine failed, which is a bug: the connection ends.</summary>
    Broken = 1 << 14,
}

/// <summary>What becomes of the rest of a frame or message that is too long to be looked at whole.</summary>
internal enum PieceVerdict : byte
{
    /// <summary>There is none.</summary>
    None = 0,
    Pass,
    PassToPrevious,
    Swallow,
}

[InlineArray(Length)]
internal struct TriedEndpoints
{
    public const int Length = 4;
    private int _first;
}

/// <summary>What a held pair has beyond a pair. Plain, like it; only the session machine lies elsewhere (<see cref="HeldPairs"/>).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct HeldPair
{
    public int PairIndex;

    /// <summary>The pairs (without a client) of the endpoint to come and of the one that was before; -1: none.</summary>
    public int Next;
    public int Previous;

    public HoldStep Step;
    public PartStep Part;
    public HoldFlags Flags;
    public RehomeCause Cause;

    /// <summary>Whose message is passed down in part, while <see cref="HoldFlags.DownOpen"/>.</summary>
    public SessionLeg DownOwner;

    /// <summary>Endpoints that refused in this re-home.</summary>
    public byte Refusals;

    /// <summary>Endpoints in a row that were lost right after they took over.</summary>
    public byte ShortLived;
    public byte TriedCount;
    public int Rehomes;

    /// <summary>Where the re-home began.</summary>
    public int FromEndpoint;

    /// <summary>When the client's messages began to wait; 0: they do not.</summary>
    public long HeldSince;

    /// <summary>Of <see cref="Step"/>, and of <see cref="Part"/>.</summary>
    public long StepEnds;
    public long PartEnds;
    public long DialAt;

    /// <summary>When the client is told that no endpoint took over; 0: one serves.</summary>
    public long PatienceEnds;

    /// <summary>When something last came that may have been an answer: from the current endpoint, from the previous one.</summary>
    public long AnsweredAt;
    public long PreviousAnsweredAt;

    /// <summary>When to ask what the endpoint has read; 0: nothing is unfenced, or it has been asked.</summary>
    public long FenceAt;

    /// <summary>When the last re-home ended.</summary>
    public long RehomedAt;

    /// <summary>Client messages of which nobody knows whether an endpoint read them: in all, and of this re-home.</summary>
    public long Unknown;
    public long UnknownNow;

    /// <summary>Messages passed to the current endpoint, and how many of them it has read for certain; as they were at our last ping, at the last relayed one.</summary>
    public long Written;
    public long Fenced;
    public long PingMark;
    public long RelayedMark;

    /// <summary>Whole messages in <see cref="Buffer"/>.</summary>
    public int Kept;
    public ulong SubProtocol;

    /// <summary>Milliseconds for each connect; for dial and upgrade, and again for the greeting. As of the first handshake.</summary>
    public int ConnectTimeout;
    public int HandshakeTimeout;

    /// <summary>The request head as sent; the client's messages that wait; the endpoint's that wait; what is owed to the client at its next boundary; its unanswered pings.</summary>
    public NativeBuffer Head;
    public NativeBuffer Buffer;
    public NativeBuffer Waiting;
    public NativeBuffer Owed;
    public NativeBuffer Pings;
    public TriedEndpoints Tried;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Has(HoldFlags flag) => (Flags & flag) != 0;

    public void Set(HoldFlags flag, bool on) => Flags = on ? Flags | flag : Flags & ~flag;
}
