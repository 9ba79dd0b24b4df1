namespace Holdfast.Relay.Links;

/// <summary>How the connection behind a link ended its direction.</summary>
public enum LinkEnd
{
    /// <summary>Not yet.</summary>
    None = 0,

    /// <summary>In order: FIN, the TLS close_notify, or the end of an HTTP/2 stream.</summary>
    Eof = 1,

    /// <summary>By a reset, or an error of TLS.</summary>
    Reset = 2,

    /// <summary>It took no byte for as long as it may, and was aborted.</summary>
    Stalled = 3,
}

/// <summary>
/// What stands behind a leg that is no TCP socket of the loop's: an AF_UNIX stream pair, one end of which is the leg, while who holds the real connection (TLS, HTTP/2, or an
/// HTTP/1.1 connection that was kept alive) moves bytes between that and the other end. The descriptor alone lies about ends: unread input turns a close into ECONNRESET, and
/// an abort looks like EOF. So the far end says what happened before it lets its descriptor go.
/// </summary>
public abstract class SocketLink
{
    /// <summary>
    /// Bytes that each direction of the pair may hold, as the kernel charges them (some 770 for 64 bytes): room for about 340 small messages, and no more than the kernel
    /// lets everyone have.
    /// </summary>
    public const int BufferSize = 128 * 1024;

    private int _end;
    private volatile bool _isPeerDone;

    /// <summary>Set before the far end is shut down or closed; the loop looks when it reads the end.</summary>
    public LinkEnd End => (LinkEnd)Volatile.Read(ref _end);

    /// <summary>
    /// Set by the loop before its bytes end: the peer's Close frame has been received, so nothing of it is awaited, and the connection may end as soon as what the loop has
    /// sent is flushed. Otherwise the peer should get a moment to answer, or a reset could overtake what it is to read: the loop still reads, and lets go of the leg when the
    /// peer's Close frame or its end comes, or its time is up (<see cref="OnLegClosed"/>). A moment without a timer at the far end.
    /// </summary>
    public bool IsPeerDone
    {
        get => _isPeerDone;
        internal set => _isPeerDone = value;
    }

    /// <summary>By the far end, any thread. The first one counts. False: there was one.</summary>
    public bool TrySetEnd(LinkEnd end) => Interlocked.CompareExchange(ref _end, (int)end, 0) == 0;

    /// <summary>
    /// The loop lets go of the leg, whose descriptor it closes right after this call, and never calls again. On the loop's thread, or, where the loop has stopped, on that of who
    /// stopped or asked it: must not block, and must not throw.
    /// </summary>
    /// <param name="aborted">The real connection is to be reset, not ended in order.</param>
    protected internal abstract void OnLegClosed(bool aborted);
}
