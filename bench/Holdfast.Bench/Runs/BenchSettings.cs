namespace Holdfast.Bench.Runs;

/// <summary>What every bench takes.</summary>
internal sealed record BenchSettings
{
    public required IReadOnlyList<string> Systems { get; init; }

    /// <summary>Runs of each system and case, interleaved: A B C A B C, so that a slow minute of the machine hits all.</summary>
    public required int Runs { get; init; }

    /// <summary>Before each measured window: the JIT's tiers, buffers, caches.</summary>
    public required TimeSpan WarmUp { get; init; }

    public required TimeSpan Measure { get; init; }

    /// <summary>A run whose load was later than this with any message does not count.</summary>
    public required TimeSpan MaxLag { get; init; }

    /// <summary>Runs count however busy the machine is.</summary>
    public bool Noisy { get; init; }

    /// <summary>Where CSV and table are written.</summary>
    public required string Results { get; init; }

    /// <summary>Loopback addresses the backend listens on.</summary>
    public int Endpoints { get; init; } = 4;
}
