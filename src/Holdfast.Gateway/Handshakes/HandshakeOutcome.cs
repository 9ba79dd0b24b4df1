namespace Holdfast.Gateway.Handshakes;

/// <summary>
/// How a handshake ended: the <c>outcome</c> of <c>holdfast_handshakes_total</c>, in snake_case. Numbers are never reused.
/// </summary>
internal enum HandshakeOutcome
{
    /// <summary>The endpoint's 101 was verified and relayed.</summary>
    Upgraded = 0,

    /// <summary>The request broke the rules for heads or upgrades: 400.</summary>
    BadRequest = 1,

    /// <summary>The head did not come whole within 10 s: 408.</summary>
    HeadTimeout = 2,

    /// <summary>The head was over 32 KiB or had over 100 header lines: 431.</summary>
    HeadTooLarge = 3,

    /// <summary>Another Sec-WebSocket-Version than 13: 426.</summary>
    BadVersion = 4,

    /// <summary>No route matched: 404.</summary>
    NoRoute = 5,

    /// <summary>Every backend of the route has weight 0: 500.</summary>
    NoBackend = 6,

    /// <summary>No endpoint is ready and healthy: 503.</summary>
    NoEndpoint = 7,

    /// <summary>Every endpoint tried refused, reset or broke the connection, or answered no valid head: 502.</summary>
    EndpointFailed = 8,

    /// <summary>No endpoint answered in time: 504.</summary>
    EndpointTimeout = 9,

    /// <summary>The endpoint answered 3xx to 5xx, which was relayed.</summary>
    EndpointRefused = 10,

    /// <summary>The endpoint answered 2xx instead of 101: 502.</summary>
    NotUpgraded = 11,

    /// <summary>The gateway had no descriptors left, or the listener was at its limit: 503.</summary>
    GatewayFull = 12,

    /// <summary>The client left before the answer.</summary>
    ClientGone = 13,

    /// <summary>The gateway shut down.</summary>
    Shutdown = 14,

    /// <summary>A bug in the gateway, logged as an error: 500.</summary>
    InternalError = 15,

    /// <summary>The route does not allow its Origin: 403.</summary>
    OriginRefused = 16,

    /// <summary>Its address has as many connections as it may: 429.</summary>
    ClientAddressLimit = 17,

    /// <summary>Its key has as many connections as it may: 429.</summary>
    KeyLimit = 18,

    /// <summary>Every endpoint has as many connections as it may: 503.</summary>
    BackendFull = 19,

    /// <summary>As many handshakes wait as may: 503.</summary>
    QueueFull = 20,

    /// <summary>It waited for queueTimeout: 503.</summary>
    QueueTimeout = 21,

    /// <summary>The auth service answered 401 or 403, which was relayed.</summary>
    AuthRefused = 22,

    /// <summary>The auth service did not answer in time, or not as it should: 503.</summary>
    AuthFailed = 23,

    /// <summary>No good PROXY protocol header came where one must: the connection was closed.</summary>
    BadProxyHeader = 24,

    /// <summary>The route sends its clients elsewhere: 301 to 308.</summary>
    Redirected = 25,
}
