using Holdfast.Api.Configuration;

namespace Holdfast.Cli.Rehearse;

/// <summary>What <c>holdfast rehearse</c> was asked for.</summary>
internal sealed record RehearseOptions
{
    public const int MaxConnections = 20_000;
    public const int MaxRolls = 100;

    /// <summary>That can stand in the gateway's place.</summary>
    public static IReadOnlyList<string> KnownPeers { get; } = ["nginx", "haproxy"];

    public int Connections { get; init; } = 200;

    public int Rolls { get; init; } = 3;

    public int Replicas { get; init; } = 3;

    public IReadOnlyList<RehearseProtocol> Protocols { get; init; } = [RehearseProtocol.Opaque];

    /// <summary>Null: make first where the protocol can.</summary>
    public HoldMode? Mode { get; init; }

    /// <summary>SIGTERM is the first news of a replica's end.</summary>
    public bool Late { get; init; }

    /// <summary>False: the gateway is to hold nothing, to see what is reported then.</summary>
    public bool Hold { get; init; } = true;

    public bool PlantedOnly { get; init; }

    /// <summary>Besides Holdfast, in this order.</summary>
    public IReadOnlyList<string> Against { get; init; } = [];

    /// <summary>Where journals, configurations and output stay; null: nowhere.</summary>
    public string? Keep { get; init; }

    /// <summary>Null: at least 2 s, and as long as 250 re-homes a second of one replica's connections take.</summary>
    public TimeSpan? Drain { get; init; }

    /// <summary>Over which an endpoint's connections are moved.</summary>
    public TimeSpan DrainDuration => Drain ?? TimeSpan.FromSeconds(Math.Max(2, Math.Ceiling((double)Connections / Replicas / 250)));

    public HoldMode ModeOf(RehearseProtocol protocol) =>
        protocol == RehearseProtocol.Opaque ? HoldMode.BreakFirst : Mode ?? HoldMode.MakeFirst;
}
