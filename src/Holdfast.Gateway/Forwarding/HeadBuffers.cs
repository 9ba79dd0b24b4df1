using Holdfast.Relay.Buffers;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Buffers for heads in the making: one to spare for each thread, so that a request seldom needs a new one.</summary>
internal static class HeadBuffers
{
    [ThreadStatic]
    private static ByteBuffer? _spare;

    public static ByteBuffer Take()
    {
        var buffer = _spare ?? new ByteBuffer();
        _spare = null;
        return buffer;
    }

    public static void Give(ByteBuffer buffer)
    {
        buffer.Clear();
        _spare = buffer;
    }
}
