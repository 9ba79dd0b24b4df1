using System.Buffers;
using System.Buffers.Binary;
using Holdfast.Wire.Sessions.Json;

namespace Holdfast.Wire.Sessions;

/// <summary>A protocol of JSON messages with declared rules: what the client has set and not unset is sent again, and what is numbered passes once.</summary>
/// <param name="makeFirst">The next endpoint serves before the old one is left. Without numbers in the messages, what both say comes twice then.</param>
/// <param name="maxState">Bytes of set messages, of their names and of the names of feeds that are kept at most.</param>
/// <remarks>
/// Once more than that would have to be kept, or a set message cannot be followed (longer than what is read, or with lists at two paths of its key), the
/// connection cannot be moved any more. What the client sets and unsets while it is held counts when it has been sent, so that the next endpoint is told the
/// same in the same order as the last one would have been.
/// </remarks>
public sealed class JsonSession(JsonRules rules, bool makeFirst, int maxState) : Session
{
    /// <summary>States of one connection.</summary>
    public const int MaxStates = 4096;

    /// <summary>Numbered feeds of one connection.</summary>
    public const int MaxFeeds = 4096;

    private const byte Version = 1;

    private JsonStates? _states;
    private LiveMessages? _feeds;
    private LiveMessages? _waiting;

    /// <summary>For each reply rule that answers any set message: how many are unanswered, and behind these how many answers to what was sent again are to come.</summary>
    private int[]? _anyReplies;
    private int _feedBytes;
    private int _waitingBytes;
    private int _waitingSerial;
    private bool _hasMoved;
    private bool _hasPrevious;
    private bool _isUnsure;

    public override bool DialsFirst => makeFirst;

    public override bool CanMove => !_isUnsure;

    public override bool IsGreeted => true;

    public override ClientVerdict OnClientMessage(in SessionMessage message, bool isHeld, SessionOutput output)
    {
        Span<JsonValue> values = stackalloc JsonValue[rules.ClientPaths.Count];
        if (!rules.ClientPaths.Read(message, values))
            return ClientVerdict.Pass;
        if (!message.IsWhole)
        {
            foreach (var rule in rules.Set)
                _isUnsure |= rule.MayMatch(message.Payload, values);
            foreach (var rule in rules.Unset)
                _isUnsure |= rule.MayMatch(message.Payload, values);
        }
        else if (!isHeld)
        {
            Apply(message, values);
        }
        else if (JsonRules.FirstMatch(rules.Set, message.Payload, values) >= 0 || JsonRules.FirstMatch(rules.Unset, message.Payload, values) >= 0)
        {
            AddWaiting(message);
        }

        return ClientVerdict.Pass;
    }

    public override ServerVerdict OnServerMessage(in SessionMessage message, SessionLeg from, SessionOutput output)
    {
        if (from == SessionLeg.Next)
            return ServerVerdict.Swallow; // A greeting, which the client has had.
        if (rules.ServerPaths.Count == 0)
            return ServerVerdict.Pass;
        Span<JsonValue> values = stackalloc JsonValue[rules.ServerPaths.Count];
        if (!rules.ServerPaths.Read(message, values))
            return ServerVerdict.Pass;
        var reply = JsonRules.FirstMatch(rules.Replies, message.Payload, values);
        if (reply >= 0 && IsRepeated(reply, message.Payload, values, from))
            return ServerVerdict.Swallow;
        Span<byte> feed = stackalloc byte[JsonKeys.MaxLength];
        return rules.TryReadSequence(message.Payload, values, feed, out var length, out var number)
            ? OnNumbered(feed[..length], number, from)
            : ServerVerdict.Pass;
    }

    public override int? PendingOn(SessionLeg leg) => null;

    public override void OnLost(SessionOutput output) => ForgetRepeats();

    public override void Greet(SessionOutput output)
    {
        // What the endpoint is told first, it is told with the move.
    }

    public override void OnNextGone()
    {
        // Nothing has been told.
    }

    public override void Move(bool hasPrevious, SessionOutput output)
    {
        if (!hasPrevious)
            ForgetRepeats();
        _hasMoved = true;
        _hasPrevious |= hasPrevious;
        if (_states is null)
            return;
        var sent = 0;
        for (var i = 0; i < _states.End; i++)
        {
            if (_states.IsLive(i))
                sent += SendAgain(i, output);
        }

        _states.OnSentAgain(hasPrevious, _hasPrevious);
        for (var i = 0; _anyReplies is not null && i < _anyReplies.Length / 2; i++)
            _anyReplies[2 * i + 1] = Math.Max(0, sent - _anyReplies[2 * i]);
    }

    public override void OnFlushed()
    {
        if (_waiting is null)
            return;
        Span<JsonValue> values = stackalloc JsonValue[rules.ClientPaths.Count];
        for (var i = 0; i < _waiting.End; i++)
        {
            var message = new SessionMessage(_waiting.MessageOf(i), _waiting.MarksOf(i) != 0, isWhole: true);
            rules.ClientPaths.Read(message, values);
            Apply(message, values);
        }

        _waiting = null;
        _waitingBytes = 0;
    }

    public override void EndOverlap(SessionOutput output)
    {
        // The close of the previous endpoint ends what it serves.
    }

    public override void OnPreviousGone(SessionOutput output)
    {
        _hasPrevious = false;
        _states?.OnGone(isPrevious: true);
    }

    public override bool IsFinalRefusal(ushort closeCode) => false;

    public override void Save(IBufferWriter<byte> destination)
    {
        if (_hasPrevious)
            throw new InvalidOperationException("A session is not saved in the middle of a re-home.");
        destination.Write(Version);
        destination.Write((byte)((_hasMoved ? 1 : 0) | (_isUnsure ? 2 : 0)));
        (_states ?? new JsonStates()).Save(destination);
        destination.WriteCount(_feeds?.Count ?? 0);
        for (var i = 0; i < (_feeds?.End ?? 0); i++)
        {
            destination.WriteBytes(_feeds!.KeyOf(i));
            destination.WriteBytes(_feeds.MessageOf(i));
        }

        destination.WriteCount(_waiting?.Count ?? 0);
        for (var i = 0; i < (_waiting?.End ?? 0); i++)
        {
            destination.Write(_waiting!.MarksOf(i));
            destination.WriteBytes(_waiting.MessageOf(i));
        }

        destination.WriteCount(_anyReplies?.Length ?? 0);
        foreach (var count in _anyReplies ?? [])
            destination.WriteCount(count);
    }

    public override bool Restore(ReadOnlySpan<byte> saved)
    {
        var state = new SavedState(saved);
        if (!state.TryReadByte(out var version) || version != Version || !state.TryReadByte(out var flags) || flags > 3)
            return false;
        _hasMoved = (flags & 1) != 0;
        _isUnsure = (flags & 2) != 0;
        _states = new JsonStates();
        return _states.TryRestore(ref state, rules, MaxStates, maxState) && TryRestoreFeeds(ref state) && TryRestoreWaiting(ref state)
            && TryRestoreReplies(ref state) && state.IsAtEnd;
    }

    private int Room => maxState - (_states?.Bytes ?? 0) - _feedBytes;

    private void Apply(in SessionMessage message, ReadOnlySpan<JsonValue> values)
    {
        var set = JsonRules.FirstMatch(rules.Set, message.Payload, values);
        if (set >= 0)
        {
            _states ??= new JsonStates();
            _isUnsure |= !_states.TrySet(set, rules.Set[set].Key, message.Payload, values, message.IsText, MaxStates, maxState - _feedBytes);
            CountUnanswered();
            return;
        }

        var unset = JsonRules.FirstMatch(rules.Unset, message.Payload, values);
        if (unset >= 0 && _states is not null)
            Unset(rules.Unset[unset], message.Payload, values);
    }

    private void CountUnanswered()
    {
        for (var i = 0; i < rules.Replies.Length; i++)
        {
            if (!rules.IsOfAnyState(rules.Replies[i]))
                continue;
            _anyReplies ??= new int[2 * rules.Replies.Length];
            _anyReplies[2 * i] = Math.Min(_anyReplies[2 * i] + 1, MaxStates);
        }
    }

    private void Unset(JsonRules.Compiled rule, ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values)
    {
        if (rules.IsOfAnyState(rule))
        {
            _states!.Clear();
            return;
        }

        Span<byte> scratch = stackalloc byte[JsonKeys.MaxLength];
        var names = new JsonKeys(payload, values, rule.Key, scratch);
        _isUnsure |= names.HasSeveralLists;
        for (var left = MaxStates; !names.HasSeveralLists && names.MoveNext(); left--)
        {
            if (left == 0)
            {
                _isUnsure = true;
                return;
            }

            for (var set = 0; set < rules.Set.Length; set++)
            {
                var state = NamedBy(set, rule, names);
                if (state >= 0)
                    _states!.Remove(state);
            }
        }
    }

    /// <summary>The state of a set rule that another rule speaks of; -1: there is none.</summary>
    private int NamedBy(int set, JsonRules.Compiled rule, in JsonKeys names) =>
        names.IsTooLong || rules.Set[set].Key.Length != rule.Key.Length ? -1 : _states!.Find(set, names.Current);

    /// <summary>Whether a reply answers what was sent again only, so that the client has had it. Keeps account of what is answered.</summary>
    private bool IsRepeated(int reply, ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values, SessionLeg from)
    {
        var rule = rules.Replies[reply];
        if (rules.IsOfAnyState(rule))
            return IsRepeatedOfAny(reply, from);
        if (_states is null)
            return false;
        Span<byte> scratch = stackalloc byte[JsonKeys.MaxLength];
        var names = new JsonKeys(payload, values, rule.Key, scratch);
        var repeats = false;
        var isFirst = false;
        for (var left = MaxStates; left > 0 && !names.HasSeveralLists && names.MoveNext(); left--)
        {
            for (var set = 0; set < rules.Set.Length; set++)
            {
                var state = NamedBy(set, rule, names);
                if (state < 0)
                    continue;
                // One reply answers one message, also where two rules make a state of the same name.
                var isRepeated = _states.IsRepeated(state, reply, from == SessionLeg.Previous, out var isFirstOfState);
                repeats |= isRepeated;
                isFirst |= isFirstOfState;
                if (isRepeated || isFirstOfState)
                    break;
            }
        }

        return repeats && !isFirst;
    }

    private bool IsRepeatedOfAny(int reply, SessionLeg from)
    {
        if (_anyReplies is null)
            return false;
        ref var unanswered = ref _anyReplies[2 * reply];
        ref var again = ref _anyReplies[2 * reply + 1];
        if (from == SessionLeg.Current && again > 0)
        {
            again--;
            return true;
        }

        if (unanswered == 0)
            return false;
        unanswered--;
        if (from == SessionLeg.Previous)
            again++;
        return false;
    }

    private void ForgetRepeats()
    {
        _states?.OnGone(isPrevious: false);
        for (var i = 0; _anyReplies is not null && i < _anyReplies.Length / 2; i++)
            _anyReplies[2 * i + 1] = 0;
    }

    private ServerVerdict OnNumbered(ReadOnlySpan<byte> feed, long number, SessionLeg from)
    {
        var known = _feeds?.Find(feed) ?? -1;

        // Before any move there is one endpoint, and what it says is not judged.
        if (_hasMoved && known >= 0 && number <= LastOf(known))
            return ServerVerdict.Swallow;
        if (from == SessionLeg.Current && makeFirst && _hasPrevious)
            return ServerVerdict.Wait;
        if (known >= 0)
            BinaryPrimitives.WriteInt64LittleEndian(_feeds!.MessageToChange(known), number);
        else
            AddFeed(feed, number);
        return ServerVerdict.PassPush;
    }

    private void AddFeed(ReadOnlySpan<byte> feed, long number)
    {
        if (_feeds?.Count == MaxFeeds || feed.Length + sizeof(long) > Room)
        {
            _isUnsure = true;
            return;
        }

        Span<byte> last = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(last, number);
        _feeds ??= new LiveMessages();
        _feeds.Add(feed, last, 0);
        _feedBytes += feed.Length + sizeof(long);
    }

    private long LastOf(int feed) => BinaryPrimitives.ReadInt64LittleEndian(_feeds!.MessageOf(feed));

    /// <summary>The last number the client has seen of what a state brings.</summary>
    private long? LastOf(ReadOnlySpan<byte> state)
    {
        var feed = _feeds?.Find(rules.SequenceKeyLength == 0 ? default : state) ?? -1;
        return feed < 0 ? null : LastOf(feed);
    }

    private void AddWaiting(in SessionMessage message)
    {
        if (_waiting?.Count == MaxStates || message.Payload.Length > maxState - _waitingBytes)
        {
            _isUnsure = true;
            return;
        }

        _waiting ??= new LiveMessages();
        Span<byte> key = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(key, _waitingSerial++);
        _waiting.Add(key, message.Payload, message.IsText ? (byte)1 : (byte)0);
        _waitingBytes += message.Payload.Length;
    }

    /// <returns>Messages sent.</returns>
    private int SendAgain(int message, SessionOutput output)
    {
        var rule = rules.Set[_states!.RuleOf(message)];
        var payload = _states.PayloadOf(message);
        var resume = rules.HasSequence ? rule.Resume : null;
        Span<JsonValue> values = stackalloc JsonValue[rules.ClientPaths.Count];
        rules.ClientPaths.Read(new SessionMessage(payload, isText: true, isWhole: true), values);
        Span<byte> scratch = stackalloc byte[JsonKeys.MaxLength];
        var names = new JsonKeys(payload, values, rule.Key, scratch);
        if (resume is null && (names.List < 0 || _states.IsWhole(message)))
        {
            output.Add(SessionLeg.Current, payload, _states.IsText(message));
            return 1;
        }

        var list = names.List < 0 ? null : rule.KeyPaths[names.List];

        // Each element is at a number of its own, so each is asked for by its own message.
        var isSplit = list is not null && resume is not null && rules.SequenceKeyLength > 0;
        var elements = new ArrayBufferWriter<byte>();
        var rewritten = new ArrayBufferWriter<byte>();
        var sent = 0;
        while (names.MoveNext())
        {
            if (!_states.IsOf(message, _states.RuleOf(message), names.Current))
                continue;
            if (list is not null && !isSplit)
            {
                if (elements.WrittenCount > 0)
                    elements.Write(","u8);
                elements.Write(names.Element);
                continue;
            }

            Send(message, new JsonRewriter(list, names.Element, resume, LastOf(names.Current)), rewritten, output);
            sent++;
        }

        if (list is null || isSplit)
            return sent;
        Send(message, new JsonRewriter(list, elements.WrittenSpan, resume, LastOf(default(ReadOnlySpan<byte>))), rewritten, output);
        return 1;
    }

    private void Send(int message, JsonRewriter rewriter, ArrayBufferWriter<byte> rewritten, SessionOutput output)
    {
        rewritten.ResetWrittenCount();
        rewriter.Rewrite(_states!.PayloadOf(message), rewritten);
        output.Add(SessionLeg.Current, rewritten.WrittenSpan, _states.IsText(message));
    }

    private bool TryRestoreFeeds(ref SavedState state)
    {
        if (!state.TryReadCount(MaxFeeds, out var feeds))
            return false;
        _feeds = new LiveMessages();
        for (; feeds > 0; feeds--)
        {
            if (!state.TryReadBytes(JsonKeys.MaxLength, out var feed) || !state.TryReadBytes(sizeof(long), out var last) || last.Length != sizeof(long)
                || _feeds.Find(feed) >= 0 || feed.Length + sizeof(long) > Room)
            {
                return false;
            }

            AddFeed(feed, BinaryPrimitives.ReadInt64LittleEndian(last));
        }

        return true;
    }

    private bool TryRestoreWaiting(ref SavedState state)
    {
        if (!state.TryReadCount(MaxStates, out var waiting))
            return false;
        for (; waiting > 0; waiting--)
        {
            if (!state.TryReadByte(out var isText) || isText > 1 || !state.TryReadBytes(maxState - _waitingBytes, out var message))
                return false;
            AddWaiting(new SessionMessage(message, isText != 0, isWhole: true));
        }

        return true;
    }

    private bool TryRestoreReplies(ref SavedState state)
    {
        if (!state.TryReadCount(2 * JsonRules.MaxRules, out var counts) || (counts != 0 && counts != 2 * rules.Replies.Length))
            return false;
        _anyReplies = counts == 0 ? null : new int[counts];
        for (var i = 0; i < counts; i++)
        {
            if (!state.TryReadCount(2 * MaxStates, out _anyReplies![i]))
                return false;
        }

        return true;
    }
}
