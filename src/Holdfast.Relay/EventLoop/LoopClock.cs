using System.Runtime.CompilerServices;

namespace Holdfast.Relay.EventLoop;

/// <summary>
/// The loop's coarse clock: milliseconds since boot, read once per wake-up. The one place that reads the tick count, which costs no system
/// call. Being the machine's own, it means the same in a successor process.
/// </summary>
public sealed class LoopClock
{
    private readonly TimeProvider? _provider;

    /// <param name="provider">Null: the machine's coarse monotonic clock.</param>
    public LoopClock(TimeProvider? provider = null) => _provider = provider;

    public long Milliseconds
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
#pragma warning disable RS0030 // The one clock type.
        get => _provider is null ? Environment.TickCount64 : _provider.GetTimestamp() * 1000 / _provider.TimestampFrequency;
#pragma warning restore RS0030
    }
}
