using Holdfast.Wire.Sessions.GraphQl;

namespace Holdfast.Wire.Sessions;

/// <summary>What single messages mean.</summary>
public sealed partial class GraphQlSession
{
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
}
