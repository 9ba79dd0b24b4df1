using System.Buffers;
using Holdfast.Wire.Sessions.GraphQl;

namespace Holdfast.Wire.Sessions;

/// <summary>
/// The sub-protocol graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md): the client's connection_init and its live
/// subscriptions are made anew, under their ids; queries and mutations run once, where they were first sent.
/// </summary>
/// <param name="makeFirst">Moved subscriptions live on both endpoints until <see cref="EndOverlap"/>; otherwise the old one is told to stop before the other is told to start.</param>
/// <param name="maxState">Bytes of connection_init and subscribe messages that are kept at most.</param>
public sealed class GraphQlSession(bool makeFirst, int maxState) : Session
{
    /// <summary>Operations of one connection that are told apart; with more it cannot be moved.</summary>
    public const int MaxOperations = 4096;

    /// <summary>Bytes of all their ids: those of the npm client are 36 each.</summary>
    public const int MaxIds = 64 * MaxOperations;

    private const byte Version = 1;
    private const int ShortId = 256;

    private byte[]? _init;
    private byte[]? _keptAck;
    private LiveMessages? _operations;
    private PingQueue _pings;
    private int _stateBytes;
    private int _idBytes;
    private short _unkept;
    private short _requestsOnCurrent;
    private short _requestsOnPrevious;
    private bool _hasInit;
    private bool _initWaits;
    private bool _ackPassed;
    private bool _isGreeting;
    private bool _nextAcked;
    private bool _isLost;
    private bool _hasPrevious;

    /// <summary>Something passed that could not be followed: what is live at the endpoint is not known for certain.</summary>
    private bool _isUnsure;

    /// <summary>A subscribe before connection_ack is refused with 4401, which the stock client takes as final: the next endpoint is greeted before anything moves.</summary>
    public override bool DialsFirst => true;

    public override bool CanMove => !_isUnsure && _unkept == 0;

    public override bool IsGreeted => _isGreeting && _nextAcked;

    public override ClientVerdict OnClientMessage(in SessionMessage message, bool isHeld, SessionOutput output)
    {
        var read = GraphQlMessage.Read(message);
        switch (read.Type)
        {
            case GraphQlMessageType.ConnectionInit:
                OnInit(message, isHeld, output);
                return ClientVerdict.Pass;
            case GraphQlMessageType.Subscribe:
                OnSubscribe(message, read, isHeld);
                return ClientVerdict.Pass;
            case GraphQlMessageType.Complete when read.HasId:
                return OnClientComplete(read, output);
            case GraphQlMessageType.Ping when message.IsWhole && read.HasPlainPayload:
                // One that cannot be remembered is answered here too, so that every ping has its one pong.
                if (!isHeld && _pings.TryAdd(SessionLeg.Current, read.Payload))
                    return ClientVerdict.Pass;
                AddPong(output, SessionLeg.Client, read.Payload);
                return ClientVerdict.Swallow;
            case GraphQlMessageType.Pong:
                return isHeld ? ClientVerdict.Swallow : ClientVerdict.Pass;
            default:
                // What is no message of the protocol makes the server close with 4400, as it should.
                _isUnsure |= !message.IsWhole && read.Type != GraphQlMessageType.Ping;
                return ClientVerdict.Pass;
        }
    }

    public override ServerVerdict OnServerMessage(in SessionMessage message, SessionLeg from, SessionOutput output)
    {
        var read = GraphQlMessage.Read(message);
        switch (read.Type)
        {
            case GraphQlMessageType.ConnectionAck:
                return OnAck(message, from);
            case GraphQlMessageType.Ping when from != SessionLeg.Current:
                // The client answers the endpoint it has; it knows of one only.
                if (message.IsWhole)
                    AddPong(output, from, read.Payload);
                return ServerVerdict.Swallow;
            case GraphQlMessageType.Pong:
                return OnPong(from);
            case GraphQlMessageType.Next or GraphQlMessageType.Error or GraphQlMessageType.Complete when read.HasId && from != SessionLeg.Next:
                return OnOperationMessage(read, from, output);
            default:
                // The id of a long result may stand behind it.
                _isUnsure |= !message.IsWhole && from == SessionLeg.Current && !(read.Type == GraphQlMessageType.Next || read.Type == GraphQlMessageType.Ping);
                return from == SessionLeg.Current || (from == SessionLeg.Previous && !message.IsWhole && _requestsOnPrevious > 0)
                    ? ServerVerdict.Pass
                    : ServerVerdict.Swallow;
        }
    }

    public override int? PendingOn(SessionLeg leg) => leg switch
    {
        SessionLeg.Current => _requestsOnCurrent,
        SessionLeg.Previous => _requestsOnPrevious,
        _ => 0,
    };

    public override void OnLost(SessionOutput output)
    {
        _isLost = true;
        Leave(OperationMarks.OnCurrent, output);
        AnswerPings(SessionLeg.Current, output);
    }

    public override void Greet(SessionOutput output)
    {
        _isGreeting = true;
        _nextAcked = true;
        if (_init is null || _initWaits)
            return;
        _nextAcked = false;
        output.Add(SessionLeg.Next, _init);
    }

    public override void OnNextGone()
    {
        _isGreeting = false;
        _keptAck = null;
    }

    public override void Move(bool hasPrevious, SessionOutput output)
    {
        if (hasPrevious && _hasPrevious)
            OnPreviousGone(output);
        if (!hasPrevious && !_isLost)
            OnLost(output);
        _isGreeting = false;
        _isLost = false;
        _hasPrevious |= hasPrevious;
        if (_keptAck is not null)
        {
            output.Add(SessionLeg.Client, _keptAck);
            _keptAck = null;
            _ackPassed = true;
        }

        if (hasPrevious)
        {
            _pings.Rename(SessionLeg.Current, SessionLeg.Previous);
            LeaveBehind(output);
        }

        if (_init is not null && !_initWaits)
            SendSubscriptions(output);
    }

    public override void OnFlushed()
    {
        // What waited went to Current, so an endpoint that is being greeted has been told no connection_init and never answers it.
        _nextAcked &= !_initWaits;
        _initWaits = false;
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (_operations!.IsLive(i) && Has(MarksOf(i), OperationMarks.Waiting))
                SetMarks(i, (MarksOf(i) & ~OperationMarks.Waiting) | OperationMarks.OnCurrent);
        }
    }

    public override void EndOverlap(SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || (MarksOf(i) & (OperationMarks.Request | OperationMarks.OnPrevious)) != OperationMarks.OnPrevious)
                continue;
            AddComplete(output, SessionLeg.Previous, _operations.KeyOf(i));
            SetMarks(i, MarksOf(i) & ~OperationMarks.OnPrevious);
        }
    }

    public override void OnPreviousGone(SessionOutput output)
    {
        _hasPrevious = false;
        Leave(OperationMarks.OnPrevious, output);
        AnswerPings(SessionLeg.Previous, output);
    }

    /// <summary>4401 Unauthorized and 4403 Forbidden: said of the client's credentials, which every endpoint would read the same way.</summary>
    public override bool IsFinalRefusal(ushort closeCode) => closeCode is 4401 or 4403;

    public override void Save(IBufferWriter<byte> destination)
    {
        if (_isGreeting || _hasPrevious)
            throw new InvalidOperationException("A session is not saved in the middle of a re-home.");
        destination.Write(Version);
        destination.Write((byte)((_hasInit ? 1 : 0) | (_initWaits ? 2 : 0) | (_ackPassed ? 4 : 0) | (_isLost ? 8 : 0) | (_isUnsure ? 16 : 0)));
        destination.WriteBytes(_init);
        destination.WriteBytes(_pings.Bytes);
        destination.WriteCount(_operations?.Count ?? 0);
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i))
                continue;
            destination.Write((byte)MarksOf(i));
            destination.WriteBytes(_operations.KeyOf(i));
            destination.WriteBytes(_operations.MessageOf(i));
        }
    }

    public override bool Restore(ReadOnlySpan<byte> saved)
    {
        var state = new SavedState(saved);
        if (!state.TryReadByte(out var version) || version != Version || !state.TryReadByte(out var flags) || flags > 31
            || !state.TryReadBytes(maxState, out var init) || !state.TryReadBytes(PingQueue.Capacity, out var pings) || !_pings.TryRestore(pings)
            || !state.TryReadCount(MaxOperations, out var operations))
        {
            return false;
        }

        _hasInit = (flags & 1) != 0;
        _initWaits = (flags & 2) != 0;
        _ackPassed = (flags & 4) != 0;
        _isLost = (flags & 8) != 0;
        _isUnsure = (flags & 16) != 0;
        _init = init.IsEmpty ? null : init.ToArray();
        _stateBytes = init.Length;
        if ((_hasInit ? _init is null && !_isUnsure : _init is not null || _initWaits) || (_isLost && !pings.IsEmpty))
            return false;
        for (; operations > 0; operations--)
        {
            if (!TryRestoreOperation(ref state))
                return false;
        }

        return state.IsAtEnd;
    }

    private int OperationsEnd => _operations?.End ?? 0;

    private static bool IsRequest(OperationMarks marks) => Has(marks, OperationMarks.Request);

    private static bool Has(OperationMarks marks, OperationMarks one) => (marks & one) != 0;

    private void OnInit(in SessionMessage message, bool isHeld, SessionOutput output)
    {
        if (_hasInit)
            return; // The server closes with 4429.
        _hasInit = true;
        _initWaits = isHeld;
        if (!message.IsWhole || message.Payload.Length > maxState - _stateBytes)
        {
            _isUnsure = true;
            return;
        }

        _init = message.Payload.ToArray();
        _stateBytes += _init.Length;
        if (!_isGreeting || isHeld)
            return;
        _nextAcked = false;
        output.Add(SessionLeg.Next, _init);
    }

    private void OnSubscribe(in SessionMessage message, in GraphQlMessage read, bool isHeld)
    {
        if (!read.HasId)
        {
            _isUnsure |= !message.IsWhole;
            return;
        }

        Span<byte> id = read.IdLengthAtMost <= ShortId ? stackalloc byte[ShortId] : new byte[read.IdLengthAtMost];
        id = id[..read.ReadId(id)];
        _operations ??= new LiveMessages();

        // The same id twice while live is closed with 4409, except by servers that allow it of queries: two would answer to one name.
        if (_operations.Count == MaxOperations || id.Length > MaxIds - _idBytes || _operations.Find(id) >= 0)
        {
            _isUnsure = true;
            return;
        }

        var marks = isHeld ? OperationMarks.Waiting : OperationMarks.OnCurrent;
        ReadOnlySpan<byte> kept = default;
        if (!message.IsWhole || read.ReadOperation() != OperationKind.Subscription)
            marks |= OperationMarks.Request;
        else if (message.Payload.Length > maxState - _stateBytes)
            marks |= OperationMarks.Unkept;
        else
            kept = message.Payload;
        AddOperation(id, kept, marks);
    }

    private ClientVerdict OnClientComplete(in GraphQlMessage read, SessionOutput output)
    {
        var i = Find(read);
        if (i < 0)
            return ClientVerdict.Pass;
        var marks = MarksOf(i);
        if (!IsRequest(marks) && Has(marks, OperationMarks.OnPrevious))
            AddComplete(output, SessionLeg.Previous, _operations!.KeyOf(i));
        RemoveOperation(i);
        if (IsRequest(marks) && Has(marks, OperationMarks.OnPrevious))
            return ClientVerdict.PassToPrevious;

        // No endpoint knows it any more, and none will.
        return (marks & (OperationMarks.OnCurrent | OperationMarks.Waiting)) == 0 ? ClientVerdict.Swallow : ClientVerdict.Pass;
    }

    private ServerVerdict OnAck(in SessionMessage message, SessionLeg from)
    {
        if (from == SessionLeg.Next)
        {
            var isAnswer = _isGreeting && !_nextAcked;
            _nextAcked |= _isGreeting;
            if (_ackPassed || !isAnswer)
                return ServerVerdict.Swallow;

            // With this in hand a client subscribes at once, and the current endpoint, which has not acknowledged, would close with 4401: it has it with the move.
            if (!_isLost && message.IsWhole && message.Payload.Length <= maxState)
            {
                _keptAck = message.Payload.ToArray();
                return ServerVerdict.Swallow;
            }
        }
        else if (from == SessionLeg.Previous && _ackPassed)
        {
            return ServerVerdict.Swallow;
        }

        _ackPassed = true;
        _keptAck = null;
        return ServerVerdict.Pass;
    }

    private ServerVerdict OnPong(SessionLeg from)
    {
        Span<byte> payload = stackalloc byte[PingQueue.Capacity];

        // Pongs carry no name: the oldest ping is taken to be answered. One that was not asked for serves a client's timer as well.
        var isAnswer = _pings.TryTake(from, payload, out _);
        return from == SessionLeg.Current || isAnswer ? ServerVerdict.Pass : ServerVerdict.Swallow;
    }

    private ServerVerdict OnOperationMessage(in GraphQlMessage read, SessionLeg from, SessionOutput output)
    {
        var i = Find(read);
        if (i < 0)
            return from == SessionLeg.Current ? ServerVerdict.Pass : ServerVerdict.Swallow;
        var marks = MarksOf(i);

        // Of another leg's operation it speaks by an id that was used before.
        if (!Has(marks, from == SessionLeg.Current ? OperationMarks.OnCurrent : OperationMarks.OnPrevious))
            return ServerVerdict.Swallow;
        if (read.Type == GraphQlMessageType.Next)
            return ServerVerdict.Pass;
        if (IsRequest(marks) || from == SessionLeg.Current)
        {
            if (!IsRequest(marks) && Has(marks, OperationMarks.OnPrevious))
                AddComplete(output, SessionLeg.Previous, _operations!.KeyOf(i));
            RemoveOperation(i);
            return ServerVerdict.Pass;
        }

        // An endpoint on its way out may end its streams only because it leaves. The subscription lives on the other one, and if its source is at an end, that one says so.
        SetMarks(i, marks & ~OperationMarks.OnPrevious);
        return ServerVerdict.Swallow;
    }

    /// <summary>Before the messages to the next endpoint: what becomes of operations on the one that is left.</summary>
    private void LeaveBehind(SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || !Has(MarksOf(i), OperationMarks.OnCurrent))
                continue;
            if (IsRequest(MarksOf(i)))
            {
                SetMarks(i, OperationMarks.Request | OperationMarks.OnPrevious);
            }
            else if (makeFirst)
            {
                SetMarks(i, MarksOf(i) | OperationMarks.OnPrevious);
            }
            else
            {
                AddComplete(output, SessionLeg.Previous, _operations.KeyOf(i));
                SetMarks(i, MarksOf(i) & ~OperationMarks.OnCurrent);
            }
        }
    }

    private void SendSubscriptions(SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || (MarksOf(i) & (OperationMarks.Request | OperationMarks.Waiting)) != 0)
                continue;
            if (Has(MarksOf(i), OperationMarks.Unkept))
            {
                AddError(output, _operations.KeyOf(i), "This subscription could not be moved to another endpoint."u8);
                RemoveOperation(i);
                continue;
            }

            output.Add(SessionLeg.Current, _operations.MessageOf(i));
            SetMarks(i, MarksOf(i) | OperationMarks.OnCurrent);
        }
    }

    /// <summary>A leg is gone: its requests end with an error, its subscriptions are nowhere, or on the other leg.</summary>
    private void Leave(OperationMarks leg, SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || !Has(MarksOf(i), leg))
                continue;
            if (IsRequest(MarksOf(i)))
            {
                AddError(output, _operations.KeyOf(i), "The endpoint was lost while this operation ran; it may or may not have been executed."u8);
                RemoveOperation(i);
            }
            else
            {
                SetMarks(i, MarksOf(i) & ~leg);
            }
        }
    }

    private void AnswerPings(SessionLeg leg, SessionOutput output)
    {
        Span<byte> payload = stackalloc byte[PingQueue.Capacity];
        while (_pings.TryTake(leg, payload, out var length))
            AddPong(output, SessionLeg.Client, payload[..length]);
    }

    private bool TryRestoreOperation(ref SavedState state)
    {
        if (!state.TryReadByte(out var saved) || !state.TryReadBytes(MaxIds - _idBytes, out var id) || id.IsEmpty
            || !state.TryReadBytes(maxState - _stateBytes, out var message))
        {
            return false;
        }

        var marks = (OperationMarks)saved;
        var where = marks & (OperationMarks.OnCurrent | OperationMarks.Waiting);
        var kind = marks & (OperationMarks.Request | OperationMarks.Unkept);
        var isSomewhere = where is OperationMarks.OnCurrent or OperationMarks.Waiting || (where == OperationMarks.None && kind != OperationMarks.Request);
        var isKept = kind == OperationMarks.None;
        _operations ??= new LiveMessages();
        if ((where | kind) != marks || !isSomewhere || (_isLost && where == OperationMarks.OnCurrent)
            || kind == (OperationMarks.Request | OperationMarks.Unkept) || isKept == message.IsEmpty || _operations.Find(id) >= 0)
        {
            return false;
        }

        AddOperation(id, message, marks);
        return true;
    }

    private int Find(in GraphQlMessage read)
    {
        if (_operations is null || _operations.Count == 0)
            return -1;
        if (read.IdLengthAtMost <= ShortId)
        {
            Span<byte> id = stackalloc byte[ShortId];
            return _operations.Find(id[..read.ReadId(id)]);
        }

        var rented = ArrayPool<byte>.Shared.Rent(read.IdLengthAtMost);
        var found = _operations.Find(rented.AsSpan(0, read.ReadId(rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return found;
    }

    private OperationMarks MarksOf(int i) => (OperationMarks)_operations!.MarksOf(i);

    private void AddOperation(ReadOnlySpan<byte> id, ReadOnlySpan<byte> message, OperationMarks marks)
    {
        _idBytes += id.Length;
        _stateBytes += message.Length;
        Count(marks, 1);
        _operations!.Add(id, message, (byte)marks);
    }

    private void RemoveOperation(int i)
    {
        _idBytes -= _operations!.KeyOf(i).Length;
        _stateBytes -= _operations.MessageOf(i).Length;
        Count(MarksOf(i), -1);
        _operations.Remove(i);
    }

    private void SetMarks(int i, OperationMarks marks)
    {
        Count(MarksOf(i), -1);
        Count(marks, 1);
        _operations!.MarksOf(i) = (byte)marks;
    }

    private void Count(OperationMarks marks, short one)
    {
        if (Has(marks, OperationMarks.Unkept))
            _unkept += one;
        if (!IsRequest(marks))
            return;
        if (Has(marks, OperationMarks.OnCurrent))
            _requestsOnCurrent += one;
        if (Has(marks, OperationMarks.OnPrevious))
            _requestsOnPrevious += one;
    }

    private static void AddComplete(SessionOutput output, SessionLeg to, ReadOnlySpan<byte> id) =>
        AddAbout(output, to, id, ",\"type\":\"complete\"}"u8, default, default);

    private static void AddError(SessionOutput output, ReadOnlySpan<byte> id, ReadOnlySpan<byte> text) =>
        AddAbout(output, SessionLeg.Client, id, ",\"type\":\"error\",\"payload\":[{\"message\":\""u8, text, "\"}]}"u8);

    private static void AddAbout(
        SessionOutput output, SessionLeg to, ReadOnlySpan<byte> id, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third, ReadOnlySpan<byte> fourth)
    {
        var first = "{\"id\":"u8;
        var rented = ArrayPool<byte>.Shared.Rent(first.Length + JsonText.MaxWritten(id.Length) + second.Length + third.Length + fourth.Length);
        first.CopyTo(rented);
        var length = first.Length + JsonText.Write(id, rented.AsSpan(first.Length));
        second.CopyTo(rented.AsSpan(length));
        length += second.Length;
        third.CopyTo(rented.AsSpan(length));
        length += third.Length;
        fourth.CopyTo(rented.AsSpan(length));
        output.Add(to, rented.AsSpan(0, length + fourth.Length));
        ArrayPool<byte>.Shared.Return(rented);
    }

    private static void AddPong(SessionOutput output, SessionLeg to, ReadOnlySpan<byte> payload)
    {
        if (payload.IsEmpty)
        {
            output.Add(to, "{\"type\":\"pong\"}"u8);
            return;
        }

        var first = "{\"type\":\"pong\",\"payload\":"u8;
        var rented = ArrayPool<byte>.Shared.Rent(first.Length + payload.Length + 1);
        first.CopyTo(rented);
        payload.CopyTo(rented.AsSpan(first.Length));
        rented[first.Length + payload.Length] = (byte)'}';
        output.Add(to, rented.AsSpan(0, first.Length + payload.Length + 1));
        ArrayPool<byte>.Shared.Return(rented);
    }
}
