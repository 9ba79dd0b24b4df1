using System.Buffers.Binary;

namespace Holdfast.Testing;

/// <summary>Makes WebSocket frames byte by byte, on purpose without the product's own writer, so that each judges the other.</summary>
public static class Frames
{
    public const int Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10;

    /// <summary>A frame as a client sends it: masked.</summary>
    public static byte[] FromClient(int opcode, ReadOnlySpan<byte> payload, bool fin = true, uint key = 0x5A17C39E) => Make(opcode, payload, fin, key);

    /// <summary>A frame as a server sends it.</summary>
    public static byte[] FromServer(int opcode, ReadOnlySpan<byte> payload, bool fin = true) => Make(opcode, payload, fin, null);

    /// <summary>A Close frame with a code; 0: an empty one.</summary>
    public static byte[] CloseFrame(bool client, int code, string reason = "")
    {
        var payload = ClosePayload(code, System.Text.Encoding.UTF8.GetBytes(reason));
        return client ? FromClient(Close, payload) : FromServer(Close, payload);
    }

    public static byte[] ClosePayload(int code, ReadOnlySpan<byte> reason)
    {
        if (code == 0)
            return [];
        var payload = new byte[2 + reason.Length];
        BinaryPrimitives.WriteUInt16BigEndian(payload, (ushort)code);
        reason.CopyTo(payload.AsSpan(2));
        return payload;
    }

    /// <summary>The header of a frame whose payload is sent piece by piece.</summary>
    public static byte[] Header(int opcode, long length, bool fin, uint? key)
    {
        var bytes = new List<byte> { (byte)((fin ? 0x80 : 0) | opcode) };
        var mask = key is null ? 0 : 0x80;
        if (length < 126)
        {
            bytes.Add((byte)(mask | (int)length));
        }
        else if (length < 65536)
        {
            bytes.Add((byte)(mask | 126));
            bytes.Add((byte)(length >> 8));
            bytes.Add((byte)length);
        }
        else
        {
            bytes.Add((byte)(mask | 127));
            for (var shift = 56; shift >= 0; shift -= 8)
                bytes.Add((byte)(length >> shift));
        }

        for (var i = 0; key is not null && i < 4; i++)
            bytes.Add((byte)(key.Value >> (24 - (8 * i))));
        return [.. bytes];
    }

    private static byte[] Make(int opcode, ReadOnlySpan<byte> payload, bool fin, uint? key)
    {
        var header = Header(opcode, payload.Length, fin, key);
        var frame = new byte[header.Length + payload.Length];
        header.CopyTo(frame, 0);
        for (var i = 0; i < payload.Length; i++)
            frame[header.Length + i] = (byte)(payload[i] ^ (key is null ? 0 : (byte)(key.Value >> (24 - (8 * (i & 3))))));
        return frame;
    }
}

/// <summary>A frame as it was received, its payload unmasked.</summary>
/// <param name="Key">The mask key; null: not masked.</param>
public sealed record ReceivedFrame(int Opcode, bool Fin, uint? Key, byte[] Payload)
{
    public bool Masked => Key is not null;

    /// <summary>The code of a Close frame; 0: an empty one.</summary>
    public int CloseCode => Payload.Length < 2 ? 0 : (Payload[0] << 8) | Payload[1];
}
