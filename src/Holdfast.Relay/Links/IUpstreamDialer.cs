using Holdfast.Relay.Interop;

namespace Holdfast.Relay.Links;

/// <summary>
/// Connects to an endpoint that is spoken to otherwise than by plain TCP. Called on the loop's thread; must not block or throw. Before <see cref="EventLoop.EventLoop.Dialed"/>
/// nothing is read from the loop's end or written to it.
/// </summary>
public interface IUpstreamDialer
{
    /// <summary>
    /// Begins to connect the far end of a pair with an endpoint. It ends with one <see cref="EventLoop.EventLoop.Dialed"/> on the loop that called, or with
    /// <see cref="SocketLink.OnLegClosed"/>, when nobody waits for it any more. The loop bounds the time.
    /// </summary>
    /// <param name="fd">The far end; the dialer's from here on.</param>
    /// <param name="target">Where to.</param>
    /// <param name="ticket">For the answer.</param>
    /// <param name="loop">For the answer.</param>
    SocketLink Dial(int fd, in NativeAddress target, DialTicket ticket, EventLoop.EventLoop loop);
}

/// <summary>One dial of one handshake of one loop.</summary>
/// <param name="Index">The handshake's place.</param>
/// <param name="Serial">Tells it from earlier and later ones of that place.</param>
/// <param name="Attempt">Which of its dials.</param>
public readonly record struct DialTicket(int Index, int Serial, int Attempt);
