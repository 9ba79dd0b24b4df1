namespace Holdfast.Relay.Pairs;

/// <summary>
/// The first cause of a connection's end, set once (DESIGN law 7). The name in snake_case is the metric's and the access log's value.
/// The numbers are saved with pairs and never reused.
/// </summary>
public enum EndReason : byte
{
    /// <summary>Not ended yet.</summary>
    None = 0,

    /// <summary>The client sent a Close frame first.</summary>
    DownstreamClose = 1,

    /// <summary>The endpoint sent a Close frame first.</summary>
    UpstreamClose = 2,

    /// <summary>The client ended its side of TCP without a Close frame.</summary>
    DownstreamEof = 3,

    /// <summary>The endpoint ended TCP without a Close frame; the client was told 1012.</summary>
    UpstreamEof = 4,

    /// <summary>The client reset the connection.</summary>
    DownstreamReset = 5,

    /// <summary>The endpoint reset the connection; the client was told 1012.</summary>
    UpstreamReset = 6,

    /// <summary>The client answered no ping within pongTimeout.</summary>
    DownstreamDead = 7,

    /// <summary>The endpoint answered no ping within pongTimeout; the client was told 1012.</summary>
    UpstreamDead = 8,

    /// <summary>The client took no byte for pongTimeout while bytes for it waited.</summary>
    DownstreamStalled = 9,

    /// <summary>The endpoint took no byte for pongTimeout while bytes for it waited; the client was told 1012.</summary>
    UpstreamStalled = 10,

    /// <summary>The client broke RFC 6455 and was told 1002.</summary>
    DownstreamProtocolError = 11,

    /// <summary>The endpoint broke RFC 6455 and was told 1002, the client 1011.</summary>
    UpstreamProtocolError = 12,

    /// <summary>Nothing was relayed for idleTimeout.</summary>
    IdleTimeout = 13,

    /// <summary>An operator closed it through the admin API.</summary>
    AdminClose = 14,

    /// <summary>The gateway shut down.</summary>
    Shutdown = 15,

    /// <summary>More than the spill's cap would have had to wait for a slow side.</summary>
    SpillOverflow = 16,

    /// <summary>Its endpoint was drained; the client was told the configured code.</summary>
    Drained = 17,

    /// <summary>On a held route the endpoint was lost in the middle of a message: the client was told 1012, or reset when part of a frame had reached it.</summary>
    TornMessage = 18,

    /// <summary>Every endpoint that was asked refused to take the connection over; the client was told 1012.</summary>
    RehomeRefused = 19,

    /// <summary>No endpoint took the connection over within the hold's patience; the client was told 1012.</summary>
    HoldExpired = 20,

    /// <summary>A bug in the gateway, logged as an error; the client was told 1011.</summary>
    InternalError = 21,

    /// <summary>The client sent a message over the backend's limit of bytes, and was told 1009.</summary>
    MessageTooBig = 22,

    /// <summary>The client sent more messages per second than the backend's limit, and was told 1008.</summary>
    MessageRate = 23,
}

/// <summary>Who ended it first.</summary>
public enum EndSide : byte
{
    Gateway = 0,
    Downstream = 1,
    Upstream = 2,
}
