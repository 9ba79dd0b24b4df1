using Holdfast.Relay.Buffers;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;

namespace Holdfast.Relay.Handshakes;

/// <summary>One handshake in flight. Pooled per loop and used on its thread only; the policy may keep its own state in <see cref="PolicyState"/>.</summary>
public sealed class Handshake
{
    internal int Index;
    internal int Serial;
    internal int PairIndex = -1;
    internal int UpstreamSent;

    /// <summary>When the handshake as a whole must be done, on the loop's clock; 0 before the first dial.</summary>
    internal long Deadline;

    /// <summary>When the attempt under way is given up.</summary>
    internal long AttemptDeadline;

    internal ByteBuffer Received { get; } = new();

    internal ByteBuffer Early { get; } = new();

    internal ByteBuffer ResponseReceived { get; } = new();

    /// <summary>Who holds the other end of the client's connection, or the source that a PROXY protocol header gave.</summary>
    public NativeAddress Peer { get; internal set; }

    /// <summary>The client: <see cref="Peer"/>, unless the policy knows better (a trusted proxy's word). Logs, limits and the pair go by it.</summary>
    public NativeAddress Client { get; set; }

    /// <summary>Names this handshake to other threads while it waits; never the same for two of a loop.</summary>
    public HandshakeTicket Ticket => new(Index, Serial);

    public int ListenerId { get; internal set; }

    /// <summary>Loop time in milliseconds at the accept.</summary>
    public long AcceptedAt { get; internal set; }

    /// <summary>The loop's time now.</summary>
    public long Now { get; internal set; }

    /// <summary>128 random bits, fresh for each handshake.</summary>
    public UInt128 Id { get; internal set; }

    /// <summary>Milliseconds left of <see cref="HandshakeTimeout"/>; all of it before the first dial.</summary>
    public int Remaining => Deadline == 0 ? HandshakeTimeout : (int)Math.Max(0, Deadline - Now);

    /// <summary>Dials so far, retries included.</summary>
    public int Attempts { get; internal set; }

    // --- Set by the policy ---
    public NativeAddress Target { get; set; }

    /// <summary>With Dial: who connects to <see cref="Target"/>; null: this loop, by TCP.</summary>
    public IUpstreamDialer? Dialer { get; set; }

    /// <summary>The client speaks TLS to this gateway.</summary>
    public bool IsSecure { get; internal set; }

    /// <summary>Its connection is counted already where connections of its listener are.</summary>
    public bool IsCounted { get; internal set; }

    /// <summary>What the endpoint is told of the certificate that the client has shown and proved; empty: none.</summary>
    public ReadOnlyMemory<byte> ClientCertificate { get; internal set; }

    /// <summary>Its client's leg is a pair of sockets, which takes two descriptors more.</summary>
    public bool IsLinked { get; internal set; }

    /// <summary>Milliseconds for each connect, and from the first dial to the 101.</summary>
    public int ConnectTimeout { get; set; } = 5000;

    public int HandshakeTimeout { get; set; } = 10000;

    /// <summary>Milliseconds for the next attempt as a whole, never past the handshake's end; 0: until then.</summary>
    public int AttemptTimeout { get; set; }

    /// <summary>With Wait: milliseconds until it is resumed as timed out.</summary>
    public int WaitTimeout { get; set; }

    /// <summary>The request head for the endpoint; kept over retries until the policy clears it.</summary>
    public ByteBuffer UpstreamRequest { get; } = new();

    /// <summary>Bytes for the client: the 101, or a refusal.</summary>
    public ByteBuffer Response { get; } = new();

    public PairSettings Settings { get; set; }

    /// <summary>Of the frames to come, by the extensions of the 101.</summary>
    public Wire.WebSocket.ReservedBits ReservedBits { get; set; }

    public PathBytes Path { get; set; }

    /// <summary>With Upgrade: how the pair is held; null: it is not.</summary>
    public HoldSettings? Hold { get; set; }

    /// <summary>Tells the accepted sub-protocol from others; 0: none.</summary>
    public ulong SubProtocol { get; set; }

    /// <summary>Of a re-home's handshake: why it failed.</summary>
    public RedialFailure Failure { get; set; }

    /// <summary>The held pair that this handshake finds an endpoint for; 0: it is a client's.</summary>
    internal int Held { get; set; }

    /// <summary>For RelayRefusal: how the answer's body ends. Length counts from after the head.</summary>
    public ResponseBody Body { get; set; }

    public object? PolicyState { get; set; }

    internal void Reset(bool keepsBuffers)
    {
        PairIndex = -1;
        UpstreamSent = 0;
        Deadline = AttemptDeadline = 0;
        AttemptTimeout = 0;
        foreach (var buffer in (ReadOnlySpan<ByteBuffer>)[Received, Early, ResponseReceived, UpstreamRequest, Response])
        {
            if (keepsBuffers)
                buffer.Clear();
            else
                buffer.Release();
        }

        Client = Peer = default;
        WaitTimeout = 0;
        Serial++;
        Id = default;
        Attempts = 0;
        Target = default;
        Dialer = null;
        IsSecure = IsCounted = IsLinked = false;
        ClientCertificate = default;
        Settings = default;
        ReservedBits = default;
        Path = default;
        Body = default;
        Hold = null;
        SubProtocol = 0;
        Failure = default;
        Held = 0;
        PolicyState = null;
    }
}

/// <summary>A handshake of one loop, for <see cref="EventLoop.EventLoop.Resume"/>.</summary>
/// <param name="Index">Its place.</param>
/// <param name="Serial">Tells it from earlier and later ones of that place.</param>
public readonly record struct HandshakeTicket(int Index, int Serial);

/// <summary>How a relayed answer's body ends.</summary>
public readonly record struct ResponseBody(BodyFraming Framing, long Length = 0);
