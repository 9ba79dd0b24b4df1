using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Forwarding;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Hosting;

/// <summary>What a gateway process is started with, beside its configuration.</summary>
public sealed record GatewayHostOptions
{
    /// <summary>Event loops; 0: one per core.</summary>
    public int Loops { get; init; }

    /// <summary>Where access log lines go; null: nowhere. Written by one thread; not disposed.</summary>
    public Stream? AccessLog { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The clock of loops and load balancing; null: the machine's coarse one. Who sets it wakes the loops when it jumps.</summary>
    internal TimeProvider? LoopTime { get; init; }

    /// <summary>The file that the configuration was read from, watched from the start on; null: it came from elsewhere.</summary>
    public ConfigurationContent? File { get; init; }

    /// <summary>How long a client of plain HTTP may take over one piece of an answer.</summary>
    internal TimeSpan LongestPiece { get; init; } = HttpForwarder.LongestPiece;

    /// <summary>Where names are looked up.</summary>
    internal ResolverSources Names { get; init; } = new();

    /// <summary>Of the gateway's own messages, on standard error.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;
}
