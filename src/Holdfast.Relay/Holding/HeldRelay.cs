using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;

namespace Holdfast.Relay.Holding;

/// <summary>
/// Relays for pairs whose client stays connected while the endpoint behind it is replaced (DESIGN section 8). It has three parts: frames are passed on
/// whole, and shown to the session machine where there is one (Frames, Control); what is lost, and who takes over (Losses, Dials, Move); and
/// <see cref="Advance"/>, which looks at where a re-home stands after anything has happened, and takes the steps that are due. One loop's thread.
/// </summary>
/// <remarks>
/// Beside the pair with the client there may be two without one, its companions: of the endpoint to come, and of the one that was before.
/// A leg changes its pair only in Move, which Advance alone calls, never while a leg's bytes are being looked at. As in <see cref="PairRelay"/>, what
/// may free the pair returns whether it still lives.
/// </remarks>
internal sealed partial class HeldRelay : IDisposable
{
    /// <summary>What is passed on only when whole: a frame of up to this many bytes, or a message where messages are read.</summary>
    public const int Whole = 64 * 1024;

    /// <summary>An endpoint lost within this many milliseconds of taking over has not really done so.</summary>
    private const int ShortLife = 1000;

    /// <summary>Endpoints that may refuse, or be lost at once, before the client is told.</summary>
    private const int MostRefusals = 3;

    /// <summary>How long an endpoint may take to answer our Close (RFC 6455 7.1.1 leaves it open).</summary>
    private const int LeaveTimeout = 5_000;

    private readonly LoopCore _core;
    private readonly PairRelay _relay;
    private readonly HandshakeDriver _handshakes;
    private readonly HeldPairs _held;
    private readonly RehomeBudget _budget = new();
    private readonly SessionOutput _output = new();
    private bool _advancing;

    /// <param name="policy">Null: no pair is ever held.</param>
    /// <param name="capacity">Held pairs at most; costs address space, not memory.</param>
    public HeldRelay(LoopCore core, PairRelay relay, HandshakeDriver handshakes, IRehomePolicy? policy, int capacity)
    {
        _core = core;
        _relay = relay;
        _handshakes = handshakes;
        Policy = policy!;
        _held = new HeldPairs(capacity);
        relay.Serve(this);
        handshakes.Serve(this);
    }

    public IRehomePolicy Policy { get; }

    /// <summary>An established pair is held from here on.</summary>
    public void Attach(int index, HoldSettings settings, Handshake handshake)
    {
        var number = _held.Rent(settings, settings.NewSession?.Invoke());
        if (number == 0)
            return;
        ref var held = ref _held[number];
        held.PairIndex = index;
        held.Next = held.Previous = -1;
        held.SubProtocol = handshake.SubProtocol;
        (held.ConnectTimeout, held.HandshakeTimeout) = (handshake.ConnectTimeout, handshake.HandshakeTimeout);
        held.AnsweredAt = _core.Now;
        held.Head.Append(handshake.UpstreamRequest.Bytes);
        _core.Pairs[index].Held = number;
    }

    /// <summary>What a pair's view has of it.</summary>
    public void Describe(int index, ref PairView view)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        view.Rehomes = held.Rehomes;
        view.RehomeAgeMs = held.Rehomes == 0 ? 0 : _core.Now - held.RehomedAt;
        view.IsHeld = held.HeldSince != 0;
        view.Unknown = held.Unknown;
    }

    /// <summary>Bytes that may wait for a slow endpoint: what waited for it comes on top of what comes.</summary>
    public int SpillCap(in Pair pair) => pair.Settings.SpillCap + (3 * (_held.SettingsOf(pair.Held).Buffer + Whole));

    public bool IsAtBoundary(in Pair pair, Side to) =>
        !_held[pair.Held].Has(to == Side.Downstream ? HoldFlags.DownInFrame : HoldFlags.UpInFrame);

    /// <summary>While a pair closes: the frame that was on its way has passed.</summary>
    public void OnFrameFinished(in Pair pair, Side to) =>
        _held[pair.Held].Set(to == Side.Downstream ? HoldFlags.DownInFrame : HoldFlags.UpInFrame, false);

    /// <summary>Whether a leg of a held pair is to be read on, beside what its other leg allows.</summary>
    public bool MayRead(in Pair pair, Side side)
    {
        if (pair.State != PairState.Relaying)
            return true;
        ref var held = ref _held[pair.Held];
        var settings = _held.SettingsOf(pair.Held);
        if (side == Side.Downstream)
            return !held.Has(HoldFlags.Holding) || (held.Buffer.Length < settings.Buffer && !settings.Memory.IsFull);
        return held.Waiting.Length < settings.Buffer && !IsOthersMessage(in held, SessionLeg.Current);
    }

    /// <summary>Bytes of a leg of the pair with the client. False: the pair is gone.</summary>
    public bool OnReceived(int index, Side side, int count)
    {
        ref var pair = ref _core.Pairs[index];
        if (!Scan(index, side == Side.Downstream ? SessionLeg.Client : SessionLeg.Current, ref pair.Legs[(int)side], count) || !Advance(index))
            return false;
        // Our ping waits for the end of the frame that was on its way.
        return !pair.Legs[(int)side ^ 1].Has(LegFlags.PingWanted) || pair.State != PairState.Relaying || _relay.TryPing(index, ref pair, (Side)((int)side ^ 1));
    }

    /// <summary>The client reads again: companions that waited for it go on. False: the pair is gone.</summary>
    public bool OnClientReads(int index)
    {
        Wake(_held[_core.Pairs[index].Held].Previous);
        return true;
    }

    /// <summary>The pair is closing, for whatever reason: nothing is replaced any more.</summary>
    public void OnClosing(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        Stop(ref held, RehomeOutcome.Ended);
        if (held.Has(HoldFlags.DownInFrame) && held.DownOwner == SessionLeg.Previous)
            _relay.DropLeg(ref pair, Side.Downstream, abort: true);     // Nobody is left who could finish that frame.
    }

    /// <summary>The pair has ended.</summary>
    public void OnFinished(int index, ref PairEnd end)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        Stop(ref held, pair.EndSide == EndSide.Downstream ? RehomeOutcome.ClientGone : RehomeOutcome.Ended);
        end.Rehomes = held.Rehomes;
        end.Unknown = held.Unknown;
        _held.Return(pair.Held);
        pair.Held = 0;
    }

    /// <summary>The drain of the pair's endpoint was cancelled: what has not begun does not begin.</summary>
    public void OnDrainCancelled(int index)
    {
        ref var held = ref _held[_core.Pairs[index].Held];
        held.Set(HoldFlags.Planned, false);
        if (held.Step == HoldStep.Budgeted)
            held.Step = HoldStep.None;
    }

    public void Dispose() => _held.Dispose();

    private static bool IsOthersMessage(in HeldPair held, SessionLeg origin) => held.Has(HoldFlags.DownOpen) && held.DownOwner != origin;

    /// <summary>Whether an endpoint serves the pair.</summary>
    private static bool HasCurrent(in Pair pair) => pair.Up.Fd >= 0;

    private static bool IsMoving(in HeldPair held) => held.Step > HoldStep.Budgeted;

    /// <summary>A leg that was not read goes on.</summary>
    private void Wake(int index, Side side = Side.Upstream)
    {
        if (index < 0)
            return;
        ref var leg = ref _core.Pairs[index].Legs[(int)side];
        if (!leg.Has(LegFlags.Paused) || leg.Fd < 0)
            return;
        leg.Flags &= ~LegFlags.Paused;
        leg.PingSentAt = _core.Now;     // Its pong could not be read meanwhile.
        _core.Enqueue(index, side);
    }

    /// <summary>Ends companions and a re-home under way, and forgets what waited.</summary>
    private void Stop(ref HeldPair held, RehomeOutcome outcome)
    {
        if (IsMoving(in held))
            Report(ref held, outcome, -1);
        held.Step = HoldStep.None;
        held.HeldSince = held.PatienceEnds = 0;
        held.Set(HoldFlags.Planned | HoldFlags.Holding | HoldFlags.HoldWanted, false);
        DropNext(ref held);
        DropPrevious(ref held);
        ReleaseBuffer(ref held);
        held.Waiting.Release();
        held.Owed.Release();
        held.Pings.Release();
    }

    private void ReleaseBuffer(ref HeldPair held)
    {
        SettingsOf(in held).Memory.Add(-held.Buffer.Length);
        held.Buffer.Release();
    }

    private HoldSettings SettingsOf(in HeldPair held) => _held.SettingsOf(_core.Pairs[held.PairIndex].Held);

    private Session? SessionOf(in HeldPair held) => _held.SessionOf(_core.Pairs[held.PairIndex].Held);

    private void Report(ref HeldPair held, RehomeOutcome outcome, int toEndpoint)
    {
        ref var pair = ref _core.Pairs[held.PairIndex];
        Policy.OnRehomed(new RehomeEnd
        {
            Id = pair.Id,
            BackendId = pair.Settings.BackendId,
            FromEndpointId = held.FromEndpoint,
            ToEndpointId = toEndpoint,
            Cause = held.Cause,
            Outcome = outcome,
            HeldMs = held.HeldSince == 0 ? 0 : _core.Now - held.HeldSince,
            Unknown = held.UnknownNow,
        });
        held.UnknownNow = 0;
    }
}
