namespace Holdfast.Gateway.Forwarding;

/// <summary>How a plain request ended: the <c>outcome</c> in its access log line, in snake_case. Numbers are never reused.</summary>
internal enum RequestOutcome
{
    /// <summary>The endpoint's answer was relayed whole.</summary>
    Forwarded = 0,

    /// <summary>The request broke the rules for heads or bodies: 400, or 431.</summary>
    BadRequest = 1,

    /// <summary>Its body came too slowly: 408.</summary>
    BodyTimeout = 2,

    /// <summary>No route matched: 404.</summary>
    NoRoute = 3,

    /// <summary>Every backend of the route has weight 0: 500.</summary>
    NoBackend = 4,

    /// <summary>No endpoint is ready and healthy: 503.</summary>
    NoEndpoint = 5,

    /// <summary>The route sent the client elsewhere.</summary>
    Redirected = 6,

    /// <summary>No endpoint tried could be connected to, or took the head: 502.</summary>
    ConnectFailed = 7,

    /// <summary>The connect to the last endpoint tried took longer than <c>timeouts.connect</c>: 504.</summary>
    ConnectTimeout = 8,

    /// <summary>The endpoint broke its connection off before an answer's head: 502.</summary>
    NoAnswer = 9,

    /// <summary>The endpoint answered no valid HTTP: 502, or a cut when the answer had begun.</summary>
    BadAnswer = 10,

    /// <summary>The endpoint's answer broke off, and so did the client's.</summary>
    AnswerCut = 11,

    /// <summary><c>timeouts.request</c> ran out: 504, or a cut when the answer had begun.</summary>
    RequestTimeout = 12,

    /// <summary>The client left before the whole answer.</summary>
    ClientGone = 13,

    /// <summary>The client took too long over a piece of the answer, and was cut off.</summary>
    ClientStalled = 14,

    /// <summary>The gateway had no descriptors left, or the listener was at its limit: 503.</summary>
    GatewayFull = 15,

    /// <summary>A bug in the gateway, logged as an error: 500, or a cut.</summary>
    InternalError = 16,

    /// <summary>Its address has as many connections and requests as it may: 429.</summary>
    ClientAddressLimit = 17,

    /// <summary>Its key has as many connections and requests as it may: 429.</summary>
    KeyLimit = 18,

    /// <summary>Every endpoint has as many connections and requests as it may: 503.</summary>
    BackendFull = 19,

    /// <summary>The auth service answered 401 or 403, which was relayed.</summary>
    AuthRefused = 20,

    /// <summary>The auth service did not answer in time, or not as it should: 503.</summary>
    AuthFailed = 21,

    /// <summary>On a kept connection, the head did not come whole within 10 s: 408.</summary>
    HeadTimeout = 22,

    /// <summary>It asked for a WebSocket as the gateway ended: 503.</summary>
    Shutdown = 23,
}
