using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Pairs;

/// <summary>Which leg of a pair. Bytes received from one leg are sent to the other.</summary>
public enum Side
{
    Downstream = 0,
    Upstream = 1,
}

internal enum PairState : byte
{
    Free = 0,

    /// <summary>The PROXY protocol header that the listener wants, before the request.</summary>
    ReadingProxyHeader,

    /// <summary>The first byte, which is for who takes the socket over.</summary>
    AwaitingHandOff,
    ReadingRequest,

    /// <summary>The policy has let the handshake wait.</summary>
    Waiting,
    Connecting,
    SendingRequest,
    AwaitingResponse,

    /// <summary>Frames move.</summary>
    Relaying,

    /// <summary>The endpoint's refusal moves to the client, body included.</summary>
    RelayingRefusal,

    /// <summary>Nothing more is relayed; what waits is flushed, then both legs end in order or in time.</summary>
    Closing,

    /// <summary>An upstream leg without a client: of the held pair that <see cref="Pair.Held"/> names.</summary>
    Companion,
}

[Flags]
internal enum LegFlags : ushort
{
    None = 0,

    /// <summary>The edge said there is something to read, and no read has come back short since.</summary>
    Readable = 1 << 0,

    /// <summary>The peer has sent FIN or the socket failed: read on until 0 or an error, whatever a short read says.</summary>
    HungUp = 1 << 1,

    /// <summary>FIN or an error has been read.</summary>
    ReadDone = 1 << 2,

    /// <summary>SHUT_WR follows once nothing waits to be sent.</summary>
    FinWanted = 1 << 3,
    FinSent = 1 << 4,

    /// <summary>A Close frame was received from this leg; nothing after it is passed on.</summary>
    CloseReceived = 1 << 5,

    /// <summary>A Close frame was sent to this leg, relayed or our own.</summary>
    CloseSent = 1 << 6,

    /// <summary>Our ping waits for a frame boundary on its way to this leg.</summary>
    PingWanted = 1 << 7,

    /// <summary>Our ping has left; its pong is to be swallowed.</summary>
    PingPending = 1 << 8,

    /// <summary>A ping relayed to this leg is unanswered.</summary>
    RelayedPingPending = 1 << 9,

    /// <summary>A ping was relayed to this leg after ours: its pong settles ours too.</summary>
    RelayedAfterOwn = 1 << 10,

    /// <summary>In the loop's queue of legs to read on.</summary>
    Queued = 1 << 11,

    /// <summary>Not read, because the other leg is slow.</summary>
    Paused = 1 << 12,

    /// <summary>A send failed: nothing more goes out, but what the peer said before is read to its end.</summary>
    WriteFailed = 1 << 13,

    /// <summary>A client's leg: what it sends has limits (<see cref="MessageMeter"/>).</summary>
    Limited = 1 << 14,

    /// <summary>An end of a socket pair: what became of the connection behind it, its <see cref="Links.SocketLink"/> says (<see cref="EventLoop.LoopCore.LinkOf"/>).</summary>
    Linked = 1 << 15,
}

/// <summary>
/// One leg: a socket, the scanner of what is received from it, what waits to be sent to it, and its keep-alive. Times are the loop's
/// milliseconds.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Leg
{
    /// <summary>-1 when there is no socket (not yet, or no longer).</summary>
    public int Fd;
    public LegFlags Flags;

    /// <summary>Of a held pair: bytes at the end of <see cref="Held"/> that the scanner has not taken; at most <see cref="FrameScanner.MaxHeld"/>.</summary>
    public byte Unscanned;

    /// <summary>Of a held pair: what becomes of the rest of a long frame or message from this leg.</summary>
    public PieceVerdict Piece;

    /// <summary>Of the frames received from this leg.</summary>
    public FrameScanner Scanner;

    /// <summary>Waits to be sent to this leg, because its socket took no more.</summary>
    public NativeBuffer Spill;

    /// <summary>Received from this leg and not yet passed on: the start of a header or of a control frame; of a held pair also of a frame or message.</summary>
    public NativeBuffer Held;

    public long LastReceived;

    /// <summary>When our pending ping left, or the wait for its pong was last excused (reads paused).</summary>
    public long PingSentAt;

    /// <summary>When the last ping relayed to this leg left.</summary>
    public long RelayedPingAt;

    /// <summary>When the spill last lost a byte, or began.</summary>
    public long SpillProgressAt;

    /// <summary>The unguessable payload of our pending ping.</summary>
    public ulong PingTag;

    /// <summary>Tells the last relayed ping by its payload.</summary>
    public ulong RelayedPingHash;

    public long BytesReceived;
    public long MessagesReceived;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool Has(LegFlags flag) => (Flags & flag) != 0;
}

[InlineArray(2)]
internal struct Legs
{
    private Leg _first;
}

/// <summary>The request path without its query (queries carry secrets), cut at the array's length.</summary>
[InlineArray(Length)]
public struct PathBytes
{
    public const int Length = 100;
    private byte _first;
}

/// <summary>What the keep-alive, the limits and the counters of a pair need, copied when it is established: later changes of configuration do not touch it.</summary>
public struct PairSettings
{
    /// <summary>Milliseconds; 0: off.</summary>
    public int PingInterval;
    public int PongTimeout;
    public int IdleTimeout;

    /// <summary>Bytes per direction.</summary>
    public int SpillCap;
    public int BackendId;
    public int EndpointId;

    /// <summary>Payload bytes of a client's message at most, as on the wire; 0: any.</summary>
    public int MessageBytes;

    /// <summary>Of a client, after a burst of as many; 0: any.</summary>
    public int MessagesPerSecond;
    public PairClaims Claims;
}

/// <summary>What the policy has counted a connection under, for it to take back at the end. The relay only keeps it.</summary>
public struct PairClaims
{
    public UInt128 Key;
    public byte Kinds;
}

/// <summary>
/// All state of one connection. Plain: its bytes, with what its buffers hold, can be saved and continued in another process
/// (<see cref="PairImage"/>). Owned by one loop's thread for life.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Pair
{
    public Legs Legs;
    public int Generation;
    public int HandshakeIndex;
    public int ListenerId;

    /// <summary>Index of what a held pair has more, and of its companions; 0: not held.</summary>
    public int Held;

    /// <summary>Links of the timer wheel's list; see there.</summary>
    public int TimerNext;
    public int TimerPrevious;
    public int TimerSlot;

    public PairState State;
    public EndReason EndReason;
    public EndSide EndSide;

    /// <summary>Legs whose Close frame of our own waits for a frame boundary: bit 0 downstream, bit 1 upstream.</summary>
    public byte ClosesWanted;

    /// <summary>The first Close frame's code, whoever sent it; 0: none or empty.</summary>
    public ushort CloseCode;

    /// <summary>Our own codes, for <see cref="ClosesWanted"/>.</summary>
    public ushort DownstreamCode;
    public ushort UpstreamCode;

    /// <summary>The Close frame's code at <see cref="DrainAt"/>.</summary>
    public ushort DrainCode;

    public PairSettings Settings;
    public NativeAddress Client;
    public UInt128 Id;

    /// <summary>When it was accepted, when the 101 was relayed, when anything but our own pings was last relayed.</summary>
    public long AcceptedAt;
    public long EstablishedAt;
    public long LastRelayed;

    /// <summary>In <see cref="PairState.Closing"/> and the handshake states: when to give up.</summary>
    public long Deadline;

    /// <summary>In <see cref="PairState.Relaying"/>: when to close it, because its endpoint or this gateway leaves; 0: never.</summary>
    public long DrainAt;

    /// <summary>In <see cref="PairState.RelayingRefusal"/>: how much of the body is to come, or how to find its end.</summary>
    public RefusalBody Refusal;

    /// <summary>While <see cref="LegFlags.Limited"/>.</summary>
    public MessageMeter Meter;
    public PathBytes Path;

    [UnscopedRef]
    public ref Leg Down => ref Legs[0];

    [UnscopedRef]
    public ref Leg Up => ref Legs[1];
}

internal struct RefusalBody
{
    public BodyFraming Framing;
    public long Remaining;
    public ChunkedScanner Chunks;
}
