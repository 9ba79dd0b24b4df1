namespace Holdfast.Api.Configuration;

/// <summary>How a backend's clients stay connected while the endpoint behind them is replaced.</summary>
public sealed record HoldOptions
{
    /// <summary>What the backend's clients and endpoints speak. Default none: a lost endpoint ends its connections.</summary>
    public HoldProtocol Protocol { get; init; } = HoldProtocol.None;

    /// <summary>Default break first: no message comes twice.</summary>
    public HoldMode Mode { get; init; } = HoldMode.BreakFirst;

    /// <summary>With make first: how long both endpoints serve the same subscriptions. Default 1 s; up to 1 min.</summary>
    public TimeSpan Overlap { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Silence of the endpoint after which it is taken to owe no answer, where the protocol cannot tell. Default 500 ms; up to 1 min.</summary>
    public TimeSpan Quiet { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a planned re-home waits for the fence and for answers at most. Default 5 s; from <see cref="Quiet"/> to 5 min.</summary>
    public TimeSpan QuietMax { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How often an endpoint that was sent messages is pinged, to know what it has read. Default 1 s; 50 ms to 1 min.</summary>
    public TimeSpan Fence { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of a client's messages kept while it is held; beyond, its socket is not read. Default 256 KiB; 4 KiB to 64 MiB.</summary>
    public int Buffer { get; init; } = 256 * 1024;

    /// <summary>How long a client without an endpoint is held before it is told 1012. Default 30 s, a pod's usual grace; 1 s to 1 h.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Re-homes per second that this gateway begins for the backend. Default 1,000; 1 to 100,000.</summary>
    public int RatePerSecond { get; init; } = 1000;

    /// <summary>What close code 1011 of an endpoint in service means. Default relay.</summary>
    public ServerErrorAction OnServerError { get; init; } = ServerErrorAction.Relay;

    /// <summary>With <see cref="HoldProtocol.Json"/>, and only then.</summary>
    public JsonHoldOptions? Json { get; init; }
}

/// <summary>The protocols that a connection can be held in.</summary>
public enum HoldProtocol
{
    /// <summary>Not held.</summary>
    None,

    /// <summary>Any: the backend keeps no state per connection, or finds it again by <c>Holdfast-Connection-Id</c>.</summary>
    Opaque,

    /// <summary>GraphQL over WebSocket, as the npm package graphql-ws speaks it.</summary>
    GraphqlTransportWs,

    /// <summary>Messages of JSON, with declared rules.</summary>
    Json,
}

/// <summary>Which comes first when both endpoints could serve.</summary>
public enum HoldMode
{
    /// <summary>The old endpoint is told to stop before the other is told to start: a gap, nothing twice.</summary>
    BreakFirst,

    /// <summary>Both serve for a while: no gap.</summary>
    MakeFirst,
}

/// <summary>What becomes of a connection whose endpoint closes it with 1011.</summary>
public enum ServerErrorAction
{
    /// <summary>The client is told.</summary>
    Relay,

    /// <summary>Another endpoint takes over.</summary>
    Rehome,
}

/// <summary>
/// Which messages of a JSON protocol make state. Paths are member names joined by dots (<c>data.channel</c>); a message that is no JSON object, or lacks a
/// member, does not match.
/// </summary>
public sealed record JsonHoldOptions
{
    /// <summary>Client messages that make state: the last of each key is sent again to another endpoint. At least one.</summary>
    public required IReadOnlyList<JsonMessageRule> Set { get; init; }

    /// <summary>Client messages that end the state of the same key.</summary>
    public IReadOnlyList<JsonMessageRule> Unset { get; init; } = [];

    /// <summary>Server messages that answer a set message: swallowed when it was sent again, as the client has had its answer.</summary>
    public IReadOnlyList<JsonMessageRule> Replies { get; init; } = [];

    /// <summary>Where server messages are numbered; null: nothing is known to come twice.</summary>
    public JsonSequence? Sequence { get; init; }
}

/// <summary>One kind of message.</summary>
public sealed record JsonMessageRule
{
    /// <summary>By path: the string, number or truth value that must stand there, as text. At least one.</summary>
    public required IReadOnlyDictionary<string, string> Match { get; init; }

    /// <summary>Paths whose values together name the state; a list there names one state for each element. Empty: there is one state of this kind.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];

    /// <summary>Of set rules, where the feed can begin in the past: the member in which the last sequence the client has seen is sent again. Null: there is none.</summary>
    public string? Resume { get; init; }
}

/// <summary>The numbers in server messages: whole, and growing along each key.</summary>
public sealed record JsonSequence
{
    /// <summary>Where the number stands.</summary>
    public required string Path { get; init; }

    /// <summary>Paths whose values name the feed; empty: all messages are one.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];
}
