namespace Holdfast.Wire.Sessions;

/// <summary>One end of a held connection, as a session machine sees it.</summary>
public enum SessionLeg : byte
{
    Client = 0,

    /// <summary>The endpoint that serves the connection.</summary>
    Current = 1,

    /// <summary>Upgraded and being greeted; it becomes <see cref="Current"/> with <see cref="Session.Move"/>.</summary>
    Next = 2,

    /// <summary>The one that was <see cref="Current"/> before: it ends what still runs on it, and is then left.</summary>
    Previous = 3,
}

/// <summary>Where a client's message goes.</summary>
public enum ClientVerdict : byte
{
    /// <summary>To <see cref="SessionLeg.Current"/>; while the client is held, it waits for it.</summary>
    Pass = 0,

    /// <summary>To <see cref="SessionLeg.Previous"/>.</summary>
    PassToPrevious = 1,
    Swallow = 2,
}

/// <summary>What becomes of an endpoint's message.</summary>
public enum ServerVerdict : byte
{
    /// <summary>To the client.</summary>
    Pass = 0,

    /// <summary>To the client, and known to answer no request: it does not break the quiet before a re-home.</summary>
    PassPush = 1,
    Swallow = 2,

    /// <summary>Only of <see cref="SessionLeg.Current"/>: it waits until <see cref="SessionLeg.Previous"/> is gone, and is then asked about again, in order; dropped if Current is lost.</summary>
    Wait = 3,
}

/// <summary>A message as it came, unmasked and not compressed.</summary>
public readonly ref struct SessionMessage(ReadOnlySpan<byte> payload, bool isText, bool isWhole)
{
    /// <summary>Valid during the call only.</summary>
    public ReadOnlySpan<byte> Payload { get; } = payload;

    public bool IsText { get; } = isText;

    /// <summary>False: the message is longer than what is read of one (64 KiB), and <see cref="Payload"/> is its start.</summary>
    public bool IsWhole { get; } = isWhole;
}

/// <summary>
/// What a hold protocol knows of one connection: which client messages made state at the endpoint, which requests run, and how to make another
/// endpoint take over. Pure: messages in, decisions out; no clock, no socket. One thread. Never throws for what a peer sent. Its own size is bounded.
/// </summary>
/// <remarks>
/// <para>Both directions are told in the order in which the messages pass; each client message once, when it arrives, also while it then waits.</para>
/// <para>A planned re-home with overlap: <see cref="Greet"/>, messages of <see cref="SessionLeg.Next"/> until <see cref="IsGreeted"/>, <see cref="Move"/> with a previous
/// leg, <see cref="OnFlushed"/>, <see cref="EndOverlap"/>, <see cref="OnPreviousGone"/>. Without: <see cref="OnLost"/> once the old endpoint has ended, then <see cref="Greet"/>,
/// <see cref="Move"/>, <see cref="OnFlushed"/>; so also after a crash or an endpoint's own close. <see cref="OnNextGone"/> may come between Greet and Move, and another Greet
/// follows; <see cref="OnLost"/> may come at any time, also between Greet and Move and while there is a previous leg.</para>
/// </remarks>
public abstract class Session
{
    /// <summary>Whether <see cref="SessionLeg.Next"/> is to be dialled and greeted while <see cref="SessionLeg.Current"/> still serves.</summary>
    public abstract bool DialsFirst { get; }

    /// <summary>False: there is state that cannot be made anew (too much of it, say); the connection can only be closed.</summary>
    public abstract bool CanMove { get; }

    /// <summary>After <see cref="Greet"/>: whether the next endpoint has answered what must be answered before <see cref="Move"/>.</summary>
    public abstract bool IsGreeted { get; }

    /// <param name="isHeld">The message cannot reach an endpoint now: what the protocol lets a gateway answer (a ping) is answered here.</param>
    public abstract ClientVerdict OnClientMessage(in SessionMessage message, bool isHeld, SessionOutput output);

    /// <param name="from">Any leg but the client.</param>
    public abstract ServerVerdict OnServerMessage(in SessionMessage message, SessionLeg from, SessionOutput output);

    /// <summary>Requests that the leg (Current or Previous) has not answered; null: this protocol cannot know. Live subscriptions do not count.</summary>
    public abstract int? PendingOn(SessionLeg leg);

    /// <summary>The current endpoint is gone. The client is told of requests that ran there; nothing is asked again that must run once.</summary>
    public abstract void OnLost(SessionOutput output);

    /// <summary>The next endpoint is open: says to it what comes before everything else.</summary>
    public abstract void Greet(SessionOutput output);

    /// <summary>The next endpoint is gone before <see cref="Move"/>.</summary>
    public abstract void OnNextGone();

    /// <summary>
    /// Next becomes Current, and what was Current becomes Previous if it is still open: makes the state anew, says to Previous what it must
    /// stop. In <paramref name="output"/> the legs have their new names already.
    /// </summary>
    public abstract void Move(bool hasPrevious, SessionOutput output);

    /// <summary>The client's messages that waited have been sent to Current.</summary>
    public abstract void OnFlushed();

    /// <summary>The time in which both legs may serve the same subscriptions is over.</summary>
    public abstract void EndOverlap(SessionOutput output);

    /// <summary>The previous endpoint is gone, with what still ran on it.</summary>
    public abstract void OnPreviousGone(SessionOutput output);

    /// <summary>Whether an endpoint's close code, before <see cref="Move"/>, says that every other endpoint would refuse too.</summary>
    public abstract bool IsFinalRefusal(ushort closeCode);

    /// <summary>Writes all state, for <see cref="Restore"/> on a fresh machine of the same kind; only while there is neither Next nor Previous.</summary>
    public abstract void Save(System.Buffers.IBufferWriter<byte> destination);

    /// <summary>False: the bytes are not what <see cref="Save"/> wrote.</summary>
    public abstract bool Restore(ReadOnlySpan<byte> saved);
}
