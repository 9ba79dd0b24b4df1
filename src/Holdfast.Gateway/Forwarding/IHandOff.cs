using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Takes sockets that Kestrel is to serve: whose request is no upgrade, with the bytes already read, or whose listener speaks TLS. Any thread; never blocks.</summary>
internal interface IHandOff
{
    /// <summary>True: the descriptor belongs to the callee. False: too many wait, or it has stopped; the caller keeps the descriptor.</summary>
    /// <param name="fd">The client's socket.</param>
    /// <param name="listenerId">Which listener accepted it.</param>
    /// <param name="peer">Who holds its other end, or the source that a PROXY protocol header gave.</param>
    /// <param name="isTls">The client begins with TLS.</param>
    /// <param name="received">What was read from the socket, from the request's first byte on: no PROXY protocol header is among it.</param>
    bool TryHandOff(int fd, int listenerId, in NativeAddress peer, bool isTls, ReadOnlySpan<byte> received);
}
