using System.Buffers.Text;
using Holdfast.Relay.EventLoop;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// When closed clients should come back: the hint <c>retry-after=MS</c> in a Close frame's reason. Each hint takes the next place in a queue of
/// <see cref="ReturnsPerSecond"/>, so that clients which lost their connections at one moment, to a crash, say, do not return at one
/// moment; and each has a jitter, so that few clients closed one by one are not told to return at once. One loop's thread.
/// </summary>
internal sealed class ReturnPacing
{
    /// <summary>Per loop. A twentieth of the handshakes it serves (bench/README.md): what paces is the work of the applications behind.</summary>
    public const int ReturnsPerSecond = 1000;

    /// <summary>Milliseconds. Longer than that nobody waits for a page; the reconnect policies of browsers' libraries end at about as much.</summary>
    public const int Longest = 30_000;

    /// <summary>Milliseconds.</summary>
    public const int Jitter = 1000;

    /// <summary>Bytes that <see cref="Write"/> may need.</summary>
    public const int MaxReason = 24;

    private const double Step = 1000.0 / ReturnsPerSecond;

    private double _next;

    /// <summary>Milliseconds that the next client should wait.</summary>
    public int Next(long now, LoopRandom random)
    {
        _next = Math.Max(_next + Step, now);
        return (int)(Math.Min(_next - now, Longest - Jitter) + (random.NextDouble() * Jitter));
    }

    /// <summary>Writes the next hint; how many bytes it has.</summary>
    public int Write(Span<byte> reason, long now, LoopRandom random)
    {
        var name = "retry-after="u8;
        name.CopyTo(reason);
        _ = Utf8Formatter.TryFormat(Next(now, random), reason[name.Length..], out var digits);
        return name.Length + digits;
    }
}
