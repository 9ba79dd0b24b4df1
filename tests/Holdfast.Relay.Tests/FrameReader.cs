using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>Frames from bytes as they come, on purpose without the product's scanner. What RFC 6455 section 5 forbids is an <see cref="InvalidDataException"/>.</summary>
internal sealed class FrameReader(bool masked)
{
    private readonly List<byte> _bytes = [];
    private bool _inMessage;
    private bool _closed;

    public bool IsEmpty => _bytes.Count == 0;

    public void Add(ReadOnlySpan<byte> bytes) => _bytes.AddRange(bytes);

    public bool TryRead(out ReceivedFrame frame)
    {
        frame = null!;
        var bytes = CollectionsMarshal.AsSpan(_bytes);
        if (bytes.Length < 2)
            return false;
        Check(!_closed, FormattableString.Invariant($"a frame of opcode {bytes[0] & 0x0F} follows a Close frame"));
        Check((bytes[0] & 0x70) == 0, "reserved bits are set");
        Check((bytes[1] & 0x80) != 0 == masked, "the mask bit is wrong");
        var opcode = bytes[0] & 0x0F;
        var fin = (bytes[0] & 0x80) != 0;
        long length = bytes[1] & 0x7F;
        var header = length < 126 ? 2 : length == 126 ? 4 : 10;
        switch (opcode)
        {
            case Frames.Text or Frames.Binary:
                Check(!_inMessage, "a message begins inside another");
                break;
            case Frames.Continuation:
                Check(_inMessage, "a continuation continues nothing");
                break;
            case Frames.Close or Frames.Ping or Frames.Pong:
                Check(fin && header == 2, "a control frame is long or fragmented");
                break;
            default:
                Check(false, "the opcode is unknown");
                break;
        }

        if (bytes.Length < header)
            return false;
        if (header > 2)
        {
            length = header == 4 ? BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]) : BinaryPrimitives.ReadInt64BigEndian(bytes[2..]);
            Check(length >= (header == 4 ? 126 : 65536), "a length takes more bytes than it needs");
        }

        var whole = header + (masked ? 4 : 0) + length;
        if (bytes.Length < whole)
            return false;
        var payload = bytes[(int)(whole - length)..(int)whole].ToArray();
        uint? key = null;
        if (masked)
        {
            key = BinaryPrimitives.ReadUInt32BigEndian(bytes[header..]);
            for (var i = 0; i < payload.Length; i++)
                payload[i] ^= bytes[header + (i & 3)];
        }

        _bytes.RemoveRange(0, (int)whole);
        if (opcode < Frames.Close)
            _inMessage = !fin;
        _closed = opcode == Frames.Close;
        frame = new ReceivedFrame(opcode, fin, key, payload);
        return true;
    }

    private void Check(bool isRight, string what)
    {
        if (!isRight)
            throw new InvalidDataException((masked ? "to an endpoint: " : "to a client: ") + what);
    }
}
