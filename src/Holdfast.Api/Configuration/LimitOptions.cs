namespace Holdfast.Api.Configuration;

/// <summary>
/// Limits of one backend, on this gateway; 0 means none. A limit that is lowered while connections are open ends none of them: it only admits no more.
/// </summary>
public sealed record BackendLimits
{
    /// <summary>Connections, handshakes included, at each endpoint. When every endpoint has as many, a client gets 503.</summary>
    public int ConnectionsPerEndpoint { get; init; }

    /// <summary>Connections, waiting handshakes included, of one client address (IPv6: of one /64). Over it: 429.</summary>
    public int ConnectionsPerClientAddress { get; init; }

    /// <summary>Null: no such limit.</summary>
    public KeyLimit? ConnectionsPerKey { get; init; }

    /// <summary>Payload bytes of a client's message as they are on the wire (compressed, where compression was agreed on). Over it: close code 1009.</summary>
    public int MessageBytes { get; init; }

    /// <summary>Messages of one client per second, after a first burst of as many. Over it: close code 1008.</summary>
    public int MessagesPerSecond { get; init; }
}

/// <summary>A limit for every value of a request header, a tenant's name say. Requests without the header count as one key.</summary>
/// <param name="Header">A token, any case. Clients choose what they send: for a key that can be trusted, let <c>auth.copyHeaders</c> set it.</param>
/// <param name="Max">Connections of each value; over it: 429. 0: no limit.</param>
public sealed record KeyLimit(string Header, int Max);

/// <summary>How fast handshakes reach a backend's endpoints, and who waits meanwhile. On this gateway; re-homes have their own rate.</summary>
public sealed record HandshakeOptions
{
    /// <summary>Handshakes per second that leave the queue; 0, the default: as many as endpoints have room for.</summary>
    public int RatePerSecond { get; init; }

    /// <summary>Handshakes that may leave at once after a quiet time; 0, the default: a second's worth. Only with <see cref="RatePerSecond"/>.</summary>
    public int Burst { get; init; }

    /// <summary>Handshakes under way at one endpoint; further ones wait. Default 64, half of the smallest usual listen backlog (128); 0: no bound.</summary>
    public int InFlightPerEndpoint { get; init; } = 64;

    /// <summary>Handshakes that may wait; further ones get 503. Default 1,024: at a few KiB each, some MiB. 0: nobody waits.</summary>
    public int Queue { get; init; } = 1024;

    /// <summary>How long one may wait before it gets 503. Default 10 s, before browsers' and proxies' own time-outs. More than 0.</summary>
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whose handshakes take turns: a header's value; null, the default: the client's address (IPv6: its /64).</summary>
    public string? FairByHeader { get; init; }
}
