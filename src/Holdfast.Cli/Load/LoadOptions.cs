using System.Net;

namespace Holdfast.Cli.Load;

/// <summary>What is checked of the messages that come back.</summary>
internal enum LoadCheck
{
    /// <summary>The server answers every message with itself; see <see cref="EchoPayload"/>.</summary>
    Echo,

    /// <summary>The server sends a numbered stream; see <see cref="SequencePayload"/>.</summary>
    Sequence,
}

/// <summary>What a user asks of <c>holdfast load</c>.</summary>
internal sealed record LoadOptions
{
    public const int MaxSize = 64 * 1024 * 1024;

    public required Uri Url { get; init; }

    public int Connections { get; init; } = 100;

    /// <summary>Messages per second over all connections; 0 keeps the connections idle; null is one per connection and second.</summary>
    public double? Rate { get; init; }

    /// <summary>The time in which messages fall due, after the warm-up.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Messages due in this time before <see cref="Duration"/> are checked, but are in no latency figure.</summary>
    public TimeSpan WarmUp { get; init; }

    /// <summary>Payload bytes of one message, at least <see cref="EchoPayload.MinSize"/>.</summary>
    public int Size { get; init; } = 64;

    public LoadCheck Check { get; init; }

    /// <summary>Dials per second. 1,000 stays well under what a listener with a backlog of 511 (nginx' and ours) takes without a drop.</summary>
    public int ConnectRate { get; init; } = 1000;

    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    public string? Origin { get; init; }

    /// <summary>Addresses to dial from, in turn: one has about 28,000 ports towards one destination.</summary>
    public IReadOnlyList<IPAddress> Sources { get; init; } = [];

    public int Threads { get; init; } = 1;

    /// <summary>A HEAD request goes before the upgrade on the same connection, as on connections that balancers use again.</summary>
    public bool KeptAlive { get; init; }

    /// <summary>For the handshake of one connection, from the dial to the 101.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long outstanding answers are waited for at the end, and after that the servers' Close frames.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The shortest time between two turns of the loop. Zero reads every answer when it comes, for the truest latencies; more lets several
    /// come first and saves the wake-ups, which cost more than the messages. Then latencies are up to this much too high.
    /// </summary>
    public TimeSpan Turn { get; init; }

    public double MessagesPerSecond => Rate ?? Connections;
}
