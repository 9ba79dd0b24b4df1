using Holdfast.Gateway.Auth;
using Holdfast.Relay.Handshakes;

namespace Holdfast.Gateway.Admission;

/// <summary>Where a handshake stands with its backend's queue.</summary>
internal enum PlaceState
{
    /// <summary>Not there: it has not come yet, is served, or has left.</summary>
    None,

    /// <summary>It waits for its key's turn.</summary>
    Waiting,

    /// <summary>It has had its turn, and waits for an endpoint.</summary>
    InLine,

    /// <summary>It may go on, and a slot is kept for it.</summary>
    Granted,

    /// <summary>It lost its place to a key with fewer.</summary>
    Evicted,
}

/// <summary>
/// One handshake's place in a queue. Made once for each handshake in flight and used again. Its state is written under the queue's lock; its own loop may read it without,
/// after it was resumed or timed out.
/// </summary>
internal sealed class QueuePlace
{
    private volatile PlaceState _state;

    public QueuePlace() => Node = new LinkedListNode<QueuePlace>(this);

    public PlaceState State
    {
        get => _state;
        internal set => _state = value;
    }

    /// <summary>Lets its loop look at it again; any thread.</summary>
    public Action<HandshakeTicket> Resume { get; set; } = static _ => { };

    public HandshakeTicket Ticket { get; set; }

    /// <summary>Granted where an auth service must be asked: one of its places is taken for this.</summary>
    internal AuthGate? Gate { get; set; }

    internal LinkedListNode<QueuePlace> Node { get; }

    internal FairQueue.Flow? Flow { get; set; }

    /// <summary>The line that it stands in, or was granted from; null: it has had no line.</summary>
    internal EndpointLine? Line { get; set; }
}
