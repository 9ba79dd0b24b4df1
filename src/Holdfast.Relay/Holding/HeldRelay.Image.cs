using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Holding;

/// <summary>
/// What a held pair has beside its pair, as bytes for <see cref="PairImage"/>: the struct, what its buffers hold, and what its session machine saves.
/// Only between re-homes: with a second endpoint, or none, there is more than two sockets and this to hand over.
/// </summary>
internal sealed partial class HeldRelay
{
    private const int NoSession = -1;

    /// <summary>Null: a re-home is under way, or the machine failed.</summary>
    public byte[]? Save(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (held.Step != HoldStep.None || held.Next >= 0 || held.Previous >= 0 || held.Has(HoldFlags.Broken))
            return null;
        ArrayBufferWriter<byte>? session = null;
        if (SessionOf(in held) is not null)
        {
            session = new ArrayBufferWriter<byte>();
            try
            {
                SessionOf(in held)!.Save(session);
            }
            catch (Exception e)
            {
                OnBug(ref held, e);
                return null;
            }
        }

        var plain = held;
        plain.Head = plain.Buffer = plain.Waiting = plain.Owed = plain.Pings = default;     // The addresses of this process are nobody's business.
        var buffers = held.Head.Length + held.Buffer.Length + held.Waiting.Length + held.Owed.Length + held.Pings.Length;
        var image = new byte[(7 * sizeof(int)) + Unsafe.SizeOf<HeldPair>() + buffers + (session?.WrittenCount ?? 0)];
        var rest = PairImage.Put(image, MemoryMarshal.AsBytes(new ReadOnlySpan<HeldPair>(in plain)));
        rest = PairImage.Put(rest, held.Head.Bytes);
        rest = PairImage.Put(rest, held.Buffer.Bytes);
        rest = PairImage.Put(rest, held.Waiting.Bytes);
        rest = PairImage.Put(rest, held.Owed.Bytes);
        rest = PairImage.Put(rest, held.Pings.Bytes);
        BinaryPrimitives.WriteInt32LittleEndian(rest, session?.WrittenCount ?? NoSession);
        session?.WrittenSpan.CopyTo(rest[sizeof(int)..]);
        return image;
    }

    /// <summary>False: it is not of this build, there is no room, or the backend holds its pairs by another protocol, or not at all.</summary>
    public bool Restore(int index, HoldSettings? settings, ReadOnlySpan<byte> image)
    {
        if (settings is null || image.Length < sizeof(int) + Unsafe.SizeOf<HeldPair>()
            || BinaryPrimitives.ReadInt32LittleEndian(image) != Unsafe.SizeOf<HeldPair>())
            return false;
        var number = _held.Rent(settings, settings.NewSession?.Invoke());
        if (number == 0)
            return false;
        _core.Pairs[index].Held = number;
        ref var held = ref _held[number];
        held = MemoryMarshal.Read<HeldPair>(image[sizeof(int)..]);
        held.PairIndex = index;
        var rest = image[(sizeof(int) + Unsafe.SizeOf<HeldPair>())..];
        rest = PairImage.Take(rest, ref held.Head);
        rest = PairImage.Take(rest, ref held.Buffer);
        rest = PairImage.Take(rest, ref held.Waiting);
        rest = PairImage.Take(rest, ref held.Owed);
        rest = PairImage.Take(rest, ref held.Pings);
        settings.Memory.Add(held.Buffer.Length);
        var length = BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (SessionOf(in held) is not { } session)
            return length == NoSession;
        try
        {
            return length != NoSession && session.Restore(rest.Slice(sizeof(int), length));
        }
        catch (Exception e)
        {
            Policy.OnBug(e);
            return false;
        }
    }

    /// <summary>A pair is held no longer; nobody is told.</summary>
    public void Forget(ref Pair pair)
    {
        if (pair.Held == 0)
            return;
        ReleaseBuffer(ref _held[pair.Held]);
        _held.Return(pair.Held);
        pair.Held = 0;
    }
}
