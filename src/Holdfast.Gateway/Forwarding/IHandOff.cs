namespace Holdfast.Gateway.Forwarding;

/// <summary>Takes sockets whose request is no upgrade, with the bytes already read. Any thread; never blocks.</summary>
internal interface IHandOff
{
    /// <summary>True: the descriptor belongs to the callee. False: too many wait, or it has stopped; the caller keeps the descriptor.</summary>
    bool TryHandOff(int fd, int listenerId, ReadOnlySpan<byte> received);
}
