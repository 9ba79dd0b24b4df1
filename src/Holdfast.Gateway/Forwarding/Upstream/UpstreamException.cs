using System.Net.Sockets;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>What went wrong between the gateway and an endpoint.</summary>
internal enum UpstreamFault
{
    /// <summary>It refused the connection, or reset it at once.</summary>
    Refused,

    /// <summary>No way leads there.</summary>
    Unreachable,

    /// <summary>No connection within <c>timeouts.connect</c>, TLS included.</summary>
    ConnectTimeout,

    /// <summary>The TLS handshake failed.</summary>
    Tls,

    /// <summary>The gateway has no descriptors, ports or memory left: it says nothing of the endpoint.</summary>
    LocalResources,

    /// <summary>The connection went before the whole head was written to it.</summary>
    NotSent,

    /// <summary>The connection went before the answer's head was whole.</summary>
    NoAnswer,

    /// <summary>The answer's head is no valid HTTP.</summary>
    MalformedHead,

    /// <summary>The answer's head is over 32 KiB.</summary>
    HeadTooLarge,

    /// <summary>More informational answers than anybody sends.</summary>
    TooManyInterim,

    /// <summary>A 101, which nobody asked for.</summary>
    Switched,

    /// <summary>The connection went before the answer's body was whole.</summary>
    BodyCut,

    /// <summary>The answer's chunks are malformed.</summary>
    MalformedBody,
}

/// <summary>An exchange with an endpoint failed on the endpoint's side, or for want of the gateway's own means.</summary>
internal sealed class UpstreamException(UpstreamFault fault, Exception? inner = null) : Exception(Describe(fault), inner)
{
    public UpstreamFault Fault { get; } = fault;

    /// <summary>The endpoint cannot have seen a whole request: another one may have it.</summary>
    public bool IsBeforeRequest => Fault <= UpstreamFault.NotSent;

    /// <summary>It speaks against the endpoint, as a handshake's failed dial does.</summary>
    public bool IsConnectFailure => Fault is UpstreamFault.Refused or UpstreamFault.Unreachable or UpstreamFault.ConnectTimeout or UpstreamFault.Tls;

    public static UpstreamFault FaultOf(SocketException exception) => exception.SocketErrorCode switch
    {
        SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable => UpstreamFault.LocalResources,
        SocketError.TimedOut => UpstreamFault.ConnectTimeout,
        SocketError.ConnectionRefused or SocketError.ConnectionReset or SocketError.ConnectionAborted => UpstreamFault.Refused,
        _ => UpstreamFault.Unreachable,
    };

    /// <summary>In the gateway's own words, for the client: nothing that the endpoint said is in them.</summary>
    private static string Describe(UpstreamFault fault) => fault switch
    {
        UpstreamFault.Refused => "The endpoint refused the connection.",
        UpstreamFault.Unreachable => "The endpoint cannot be reached.",
        UpstreamFault.ConnectTimeout => "The connect to the endpoint timed out.",
        UpstreamFault.Tls => "The TLS handshake with the endpoint failed.",
        UpstreamFault.LocalResources => "The gateway has no descriptors or ports left.",
        UpstreamFault.NotSent => "The endpoint closed the connection before the request was sent.",
        UpstreamFault.NoAnswer => "The endpoint closed the connection without a whole answer's head. The request is not sent again: it may have been executed.",
        UpstreamFault.HeadTooLarge => "The head of the endpoint's answer is over 32 KiB.",
        UpstreamFault.TooManyInterim => "The endpoint sent too many informational answers.",
        UpstreamFault.Switched => "The endpoint switched to another protocol, which nobody asked for.",
        UpstreamFault.BodyCut => "The endpoint closed the connection before its answer was whole.",
        _ => "The endpoint's answer is not valid HTTP.",
    };
}
