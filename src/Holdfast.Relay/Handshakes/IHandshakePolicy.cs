using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Handshakes;

/// <summary>What the loop does next with a handshake.</summary>
public enum HandshakeStep
{
    /// <summary>Connect to <see cref="Handshake.Target"/> and send <see cref="Handshake.UpstreamRequest"/>.</summary>
    Dial,

    /// <summary>Send <see cref="Handshake.Response"/> to the client and close.</summary>
    Refuse,

    /// <summary>
    /// Nothing, until <see cref="EventLoop.EventLoop.Resume"/> is called with <see cref="Handshake.Ticket"/>, the client leaves, or <see cref="Handshake.WaitTimeout"/>
    /// has passed. The client is not read meanwhile, but its leaving is seen.
    /// </summary>
    Wait,

    /// <summary>Not for the relay: give the socket and what was read to <see cref="IHandshakePolicy.HandOff"/>.</summary>
    HandOff,

    /// <summary>The endpoint agreed: send <see cref="Handshake.Response"/> (the 101) and relay frames by <see cref="Handshake.Settings"/>.</summary>
    Upgrade,

    /// <summary>The endpoint's own answer: send <see cref="Handshake.Response"/>, then its body as <see cref="Handshake.Body"/> says, and close.</summary>
    RelayRefusal,

    /// <summary>An informational answer came (1xx but 101): the next head is the one that counts.</summary>
    AwaitNext,
}

/// <summary>Why an attempt to reach an endpoint failed before any usable response head.</summary>
public enum DialFailure
{
    Refused,
    Unreachable,
    ConnectTimeout,
    Reset,
    ResponseTimeout,
    MalformedResponse,

    /// <summary>This process has no descriptor or memory left: says nothing of the endpoint.</summary>
    LocalResources,

    /// <summary>The address was never resolved, or cannot be used.</summary>
    NoAddress,

    /// <summary>The endpoint speaks no TLS that is accepted: its certificate is not good, or the two have nothing in common.</summary>
    TlsFailed,
}

/// <summary>What was wrong before there was a request to judge.</summary>
public enum RequestFault
{
    /// <summary>No complete head within the time.</summary>
    HeadTimeout,
    HeadTooLarge,

    /// <summary>A line ended by LF alone.</summary>
    BareLineFeed,

    /// <summary>The connection did not begin with a PROXY protocol header, or with a malformed one, or may not bring one. It gets no answer.</summary>
    BadProxyHeader,

    /// <summary>A <see cref="Links.LinkedRequest"/> that is none: a bug of who made it.</summary>
    NoUpgrade,
}

/// <summary>What a connection begins with.</summary>
public enum ProxyHeaderUse
{
    /// <summary>The request.</summary>
    None,

    /// <summary>A PROXY protocol header, whose source counts as the peer.</summary>
    Required,

    /// <summary>Nothing: this peer may not send the header that there must be.</summary>
    Refused,
}

/// <summary>How a handshake that did not become a pair ended.</summary>
public enum HandshakeEnd
{
    /// <summary>The policy's refusal, or the endpoint's, was sent.</summary>
    Refused,
    ClientGone,
    Shutdown,
}

/// <summary>What is asked about every dial, a client's or a re-home's.</summary>
public interface IDialPolicy
{
    /// <summary>Dial (with a new target) or Refuse. A Dial after <see cref="HandshakeDriver.MaxAttempts"/> of them is taken as Refuse.</summary>
    HandshakeStep OnDialFailed(Handshake handshake, DialFailure failure);

    /// <summary>A whole response head. Upgrade, RelayRefusal (a client's only), AwaitNext, Dial or Refuse. The span is valid during the call.</summary>
    HandshakeStep OnResponse(Handshake handshake, ReadOnlySpan<byte> head);

    void OnHandshakeEnded(Handshake handshake, HandshakeEnd end);
}

/// <summary>
/// Decides handshakes. One instance per loop, called on that loop's thread only; must not block. Each handshake that reached
/// <see cref="OnRequest"/> ends with exactly one of <see cref="HandOff"/>, <see cref="OnEstablished"/> and <see cref="IDialPolicy.OnHandshakeEnded"/>;
/// each established pair with one <see cref="OnPairEnded"/>.
/// </summary>
public interface IHandshakePolicy : IDialPolicy
{
    /// <summary>Asked once of each connection, when it is accepted.</summary>
    ProxyHeaderUse ProxyHeaderOf(int listenerId, in NativeAddress peer);

    /// <summary>
    /// Asked once of each connection, behind its PROXY protocol header where there must be one: what comes is not for the loop to read, so at its first byte the socket is given
    /// to <see cref="HandOff"/>, with what was read behind that header. Such a handshake <see cref="Handshake.IsSecure"/>; when it is not taken, it is closed unanswered.
    /// </summary>
    bool IsHandedOffUnread(int listenerId);

    /// <summary>A whole request head, its last CRLF CRLF included. Dial, Refuse, Wait or HandOff. The span is valid during the call.</summary>
    HandshakeStep OnRequest(Handshake handshake, ReadOnlySpan<byte> head);

    /// <summary>A handshake that waited is resumed, or has waited too long. Dial, Refuse or Wait.</summary>
    HandshakeStep OnResumed(Handshake handshake, bool isTimeout);

    /// <summary>Fills <see cref="Handshake.Response"/> for a request that never came whole; the outcome counts as a refusal.</summary>
    void OnRequestFault(Handshake handshake, RequestFault fault);

    /// <summary>Takes the socket and the bytes already read. False: not taken, the caller refuses by <see cref="Handshake.Response"/>.</summary>
    bool HandOff(Handshake handshake, int fd, ReadOnlySpan<byte> received);

    void OnEstablished(Handshake handshake);

    void OnPairEnded(in PairEnd end);
}
