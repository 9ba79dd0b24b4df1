using Holdfast.Wire.Sessions.GraphQl;

namespace Holdfast.Wire.Sessions;

/// <summary>
/// The sub-protocol graphql-transport-ws (https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md): the client's connection_init and its live
/// subscriptions are made anew, under their ids; queries and mutations run once, where they were first sent.
/// </summary>
/// <param name="makeFirst">Moved subscriptions live on both endpoints until <see cref="EndOverlap"/>; otherwise the old one is told to stop before the other is told to start.</param>
/// <param name="maxState">Bytes of connection_init and subscribe messages that are kept at most.</param>
public sealed partial class GraphQlSession(bool makeFirst, int maxState) : Session
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

    private int OperationsEnd => _operations?.End ?? 0;

    private static bool IsRequest(OperationMarks marks) => Has(marks, OperationMarks.Request);

    private static bool Has(OperationMarks marks, OperationMarks one) => (marks & one) != 0;
}
