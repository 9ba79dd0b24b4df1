using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;

namespace Holdfast.Relay.Pairs;

/// <summary>
/// A relaying pair as bytes: the struct, what its four buffers hold, and what a held pair has beside (<see cref="HeldRelay.Save"/>). With its two sockets it
/// continues in another process of the same build on the same machine (times are the machine's), where a message is cut in the middle or a peer
/// is slow. Nothing of a pair lives anywhere else (DESIGN law 9).
/// </summary>
internal static class PairImage
{
    /// <summary>
    /// Takes a pair off its loop without touching its sockets, which the caller owns from here on. Null: it is not relaying, is being re-homed, or what stands behind one of its
    /// legs lives in this process.
    /// </summary>
    public static byte[]? Detach(LoopCore core, HeldRelay held, int index, out int downstream, out int upstream)
    {
        downstream = upstream = -1;
        ref var pair = ref core.Pairs[index];
        if (pair.State != PairState.Relaying || pair.Down.Fd < 0 || pair.Up.Fd < 0 || pair.Down.Has(LegFlags.Linked) || pair.Up.Has(LegFlags.Linked))
            return null;
        byte[] heldImage = [];
        if (pair.Held != 0)
        {
            if (held.Save(index) is not { } saved)
                return null;
            heldImage = saved;
        }

        downstream = pair.Down.Fd;
        upstream = pair.Up.Fd;
        core.Epoll.Unregister(downstream);
        core.Epoll.Unregister(upstream);

        var image = new byte[Size(in pair) + heldImage.Length];
        var rest = image.AsSpan(sizeof(int) + Unsafe.SizeOf<Pair>());
        for (var side = 0; side < 2; side++)
        {
            rest = Put(rest, pair.Legs[side].Spill.Bytes);
            rest = Put(rest, pair.Legs[side].Held.Bytes);
            pair.Legs[side].Spill.Release();
            pair.Legs[side].Held.Release();
            pair.Legs[side].Fd = -1;
        }

        heldImage.CopyTo(rest);
        core.Timers.Disarm(index);
        BinaryPrimitives.WriteInt32LittleEndian(image, Unsafe.SizeOf<Pair>());
        MemoryMarshal.Write(image.AsSpan(sizeof(int)), in pair);
        core.CountEstablished(pair.Settings.EndpointId, -1);
        held.Forget(ref pair);
        core.Free(index);
        return image;
    }

    /// <summary>
    /// Continues a pair on a loop, on its thread. False: the image is not of this build, there is no room, or it was held as its backend holds no
    /// longer; the sockets stay the caller's.
    /// </summary>
    /// <param name="holds">By backend id: how its pairs are held; null: they are not.</param>
    public static bool Attach(
        LoopCore core, PairRelay relay, HeldRelay held, Func<int, HoldSettings?> holds, ReadOnlySpan<byte> image, int downstream, int upstream)
    {
        if (image.Length < sizeof(int) + Unsafe.SizeOf<Pair>() || BinaryPrimitives.ReadInt32LittleEndian(image) != Unsafe.SizeOf<Pair>())
            return false;
        var index = core.Rent();
        if (index < 0)
            return false;
        ref var pair = ref core.Pairs[index];
        var generation = pair.Generation;
        pair = MemoryMarshal.Read<Pair>(image[sizeof(int)..]);
        pair.Generation = generation;
        var rest = image[(sizeof(int) + Unsafe.SizeOf<Pair>())..];
        for (var side = 0; side < 2; side++)
        {
            ref var leg = ref pair.Legs[side];
            rest = Take(rest, ref leg.Spill);
            rest = Take(rest, ref leg.Held);
            leg.Flags = (leg.Flags & ~LegFlags.Queued) | LegFlags.Readable;
        }

        var isHeld = pair.Held != 0;
        pair.Held = 0;
        pair.Down.Fd = downstream;
        pair.Up.Fd = upstream;
        if ((isHeld && !held.Restore(index, holds(pair.Settings.BackendId), rest))
            || !core.Register(index, Side.Downstream) || !core.Register(index, Side.Upstream))
        {
            pair.Down.Fd = pair.Up.Fd = -1;
            held.Forget(ref pair);
            core.Free(index);
            return false;
        }

        relay.Resume(index);
        return true;
    }

    private static int Size(in Pair pair)
    {
        var size = sizeof(int) + Unsafe.SizeOf<Pair>();
        for (var side = 0; side < 2; side++)
            size += (2 * sizeof(int)) + pair.Legs[side].Spill.Length + pair.Legs[side].Held.Length;
        return size;
    }

    internal static Span<byte> Put(Span<byte> destination, ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteInt32LittleEndian(destination, bytes.Length);
        bytes.CopyTo(destination[sizeof(int)..]);
        return destination[(sizeof(int) + bytes.Length)..];
    }

    internal static ReadOnlySpan<byte> Take(ReadOnlySpan<byte> source, ref NativeBuffer buffer)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(source);
        buffer = default;
        buffer.Append(source.Slice(sizeof(int), length));
        return source[(sizeof(int) + length)..];
    }
}
