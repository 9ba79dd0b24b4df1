namespace Holdfast.Gateway.Health;

/// <summary>Whether an endpoint is passed over because handshakes failed there.</summary>
internal enum EjectionPhase
{
    /// <summary>Picked as any other.</summary>
    InService = 0,

    /// <summary>Passed over until a time, from then on half-open: one handshake may try it.</summary>
    Ejected = 1,

    /// <summary>Half-open, and a handshake is trying it; all others pass it over.</summary>
    OnTrial = 2,
}

/// <summary>
/// What an endpoint's handshakes have come to, packed into one word so that a loop changes all of it by one compare-and-swap. Pure.
/// </summary>
/// <param name="Bits">2 bits phase, 1 member, 1 handshake failed, 4 row, 16 failures, 40 mark; all zero at first.</param>
internal readonly record struct EjectionState(ulong Bits)
{
    /// <summary>The ejection that grows no longer: from the tenth in a row on, ten times as long as the first.</summary>
    public const int LongestRow = 10;

    /// <summary>Failures are counted up to here.</summary>
    public const int MostFailures = ushort.MaxValue;

    /// <summary>The greatest time (34 years of milliseconds) and ticket.</summary>
    public const long GreatestMark = (1L << MarkBits) - 1;

    private const int MarkBits = 40;
    private const int FailuresShift = MarkBits, RowShift = MarkBits + 16, HandshakeFailedShift = MarkBits + 20, MemberShift = MarkBits + 21, PhaseShift = MarkBits + 22;

    private EjectionState(EjectionPhase phase, bool isMember, bool handshakeFailed, int row, int failures, long mark)
        : this(
            ((ulong)phase << PhaseShift)
            | ((isMember ? 1UL : 0) << MemberShift)
            | ((handshakeFailed ? 1UL : 0) << HandshakeFailedShift)
            | ((ulong)Math.Min(row, LongestRow) << RowShift)
            | ((ulong)Math.Min(failures, MostFailures) << FailuresShift)
            | (ulong)Math.Clamp(mark, 0, GreatestMark))
    {
    }

    public EjectionPhase Phase => (EjectionPhase)(Bits >> PhaseShift);

    public bool IsInService => Phase == EjectionPhase.InService;

    /// <summary>Among its backend's current endpoints: only such are ejected.</summary>
    public bool IsMember => ((Bits >> MemberShift) & 1) != 0;

    /// <summary>Among the failures in a row is a handshake's; otherwise they are plain requests' alone.</summary>
    public bool HandshakeFailed => ((Bits >> HandshakeFailedShift) & 1) != 0;

    /// <summary>Ejections in a row, without a success between; at most <see cref="LongestRow"/>.</summary>
    public int Row => (int)(Bits >> RowShift) & 15;

    /// <summary>Failures in a row; at most <see cref="MostFailures"/>.</summary>
    public int Failures => (int)(Bits >> FailuresShift) & MostFailures;

    /// <summary>While Ejected: half-open from this millisecond on.</summary>
    public long Until => Phase == EjectionPhase.Ejected ? Mark : 0;

    /// <summary>While OnTrial: who holds the trial; else 0, which nobody holds.</summary>
    public long Ticket => Phase == EjectionPhase.OnTrial ? Mark : 0;

    private long Mark => (long)(Bits & GreatestMark);

    /// <summary>Whether this ticket holds the trial under way.</summary>
    public bool IsHeldBy(long ticket) => ticket != 0 && Ticket == ticket;

    /// <summary>One more failure, of a handshake or of a plain request's connect.</summary>
    public EjectionState Failed(bool isHandshake) => new(Phase, IsMember, HandshakeFailed || isHandshake, Row, Failures + 1, Mark);

    /// <summary>Ejected, once more in a row, and longer each time.</summary>
    /// <param name="forMs">How long the first ejection lasts.</param>
    public EjectionState Ejected(long nowMs, long forMs)
    {
        var row = Math.Min(Row + 1, LongestRow);
        return new(EjectionPhase.Ejected, IsMember, HandshakeFailed, row, Failures, nowMs + (forMs * row));
    }

    /// <summary>Half-open, the trial being given to this ticket.</summary>
    public EjectionState OnTrial(long ticket) => new(EjectionPhase.OnTrial, IsMember, HandshakeFailed, Row, Failures, ticket);

    /// <summary>Half-open from this millisecond on: a trial came to no result.</summary>
    public EjectionState HalfOpen(long nowMs) => new(EjectionPhase.Ejected, IsMember, HandshakeFailed, Row, Failures, nowMs);

    /// <summary>The ejection ends so much earlier.</summary>
    public EjectionState Sooner(long ms) => new(Phase, IsMember, HandshakeFailed, Row, Failures, Mark - ms);

    /// <summary>Picked as any other, though nothing has proved it: failures and row stay.</summary>
    public EjectionState Returned() => new(EjectionPhase.InService, IsMember, HandshakeFailed, Row, Failures, 0);

    /// <summary>It has proved itself: nothing is held against it.</summary>
    public EjectionState Recovered() => new(EjectionPhase.InService, IsMember, false, 0, 0, 0);

    /// <summary>As at first, but for whether it is among the current endpoints.</summary>
    public static EjectionState Fresh(bool isMember) => new(EjectionPhase.InService, isMember, false, 0, 0, 0);

    public override string ToString() => FormattableString.Invariant(
        $"{Phase} failures={Failures}{(HandshakeFailed ? "!" : "")} row={Row} mark={Mark}{(IsMember ? "" : " (left)")}");
}
