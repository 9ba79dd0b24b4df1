using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Limits;

/// <summary>Which limit refused a client: the <c>limit</c> of <c>holdfast_limit_refusals_total</c>, in snake_case. Numbers are never reused.</summary>
internal enum LimitKind
{
    /// <summary>limits.connectionsPerEndpoint, at every endpoint.</summary>
    ConnectionsPerEndpoint = 0,

    /// <summary>limits.connectionsPerClientAddress.</summary>
    ConnectionsPerClientAddress = 1,

    /// <summary>limits.connectionsPerKey.</summary>
    ConnectionsPerKey = 2,

    /// <summary>handshakes.queue.</summary>
    Queue = 3,

    /// <summary>handshakes.queueTimeout.</summary>
    QueueTimeout = 4,

    /// <summary>limits.messageBytes.</summary>
    MessageBytes = 5,

    /// <summary>limits.messagesPerSecond.</summary>
    MessagesPerSecond = 6,
}

/// <summary>Which limit stands behind an outcome, and an end.</summary>
internal static class LimitKinds
{
    public static LimitKind? Of(HandshakeOutcome outcome) => outcome switch
    {
        HandshakeOutcome.BackendFull => LimitKind.ConnectionsPerEndpoint,
        HandshakeOutcome.ClientAddressLimit => LimitKind.ConnectionsPerClientAddress,
        HandshakeOutcome.KeyLimit => LimitKind.ConnectionsPerKey,
        HandshakeOutcome.QueueFull => LimitKind.Queue,
        HandshakeOutcome.QueueTimeout => LimitKind.QueueTimeout,
        _ => null,
    };

    public static LimitKind? Of(RequestOutcome outcome) => outcome switch
    {
        RequestOutcome.BackendFull => LimitKind.ConnectionsPerEndpoint,
        RequestOutcome.ClientAddressLimit => LimitKind.ConnectionsPerClientAddress,
        RequestOutcome.KeyLimit => LimitKind.ConnectionsPerKey,
        _ => null,
    };

    public static LimitKind? Of(EndReason reason) => reason switch
    {
        EndReason.MessageTooBig => LimitKind.MessageBytes,
        EndReason.MessageRate => LimitKind.MessagesPerSecond,
        _ => null,
    };
}
