using System.Buffers.Binary;
using System.Text;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>What an HTTP/2 server made of one stream.</summary>
/// <param name="IsOk">A whole answer of status 200.</param>
/// <param name="IsAlive">The connection goes on.</param>
internal sealed record Http2Answer(bool IsOk, string Body, bool IsAlive);

/// <summary>HTTP/2 frames written byte by byte: every header as a literal without indexing or Huffman coding, so that whatever is in it arrives. One stream at a time.</summary>
internal sealed class Http2Client(Stream stream)
{
    private const byte Data = 0, Headers = 1, Reset = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;
    private const byte EndStream = 1, Acknowledge = 1, EndHeaders = 4;

    private int _next = 1;

    public async Task StartAsync() => await stream.WriteAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, [])]);

    /// <summary>Sends one request and reads its stream to the end, or the connection's.</summary>
    public async Task<Http2Answer> AskAsync(Http2Request request)
    {
        var id = _next;
        _next += 2;
        try
        {
            await stream.WriteAsync(Write(request, id));
            return await ReadAsync(id);
        }
        catch (IOException)
        {
            return new Http2Answer(IsOk: false, "", IsAlive: false);
        }
    }

    private static byte[] Write(Http2Request request, int id)
    {
        var block = Encode(request.Fields);
        var end = request.Data.Count == 0 && request.Trailers.Count == 0 ? EndStream : (byte)0;
        var bytes = new List<byte>();
        if (request.Cuts && block.Length > 2)
        {
            // A third each: a header's bytes lie in several frames.
            var third = block.Length / 3;
            bytes.AddRange(Frame(Headers, end, id, block.AsSpan(0, third)));
            bytes.AddRange(Frame(Continuation, 0, id, block.AsSpan(third, third)));
            bytes.AddRange(Frame(Continuation, EndHeaders, id, block.AsSpan(2 * third)));
        }
        else
        {
            bytes.AddRange(Frame(Headers, (byte)(end | EndHeaders), id, block));
        }

        for (var i = 0; i < request.Data.Count; i++)
            bytes.AddRange(Frame(Data, i == request.Data.Count - 1 && request.Trailers.Count == 0 ? EndStream : (byte)0, id, Parts.Bytes(request.Data[i])));
        if (request.Trailers.Count > 0)
            bytes.AddRange(Frame(Headers, EndStream | EndHeaders, id, Encode(request.Trailers)));
        return [.. bytes];
    }

    private async Task<Http2Answer> ReadAsync(int id)
    {
        var head = new byte[9];
        var body = new StringBuilder();
        var isOk = false;
        while (true)
        {
            try
            {
                await stream.ReadExactlyAsync(head);
            }
            catch (Exception e) when (e is EndOfStreamException or IOException)
            {
                return new Http2Answer(IsOk: false, body.ToString(), IsAlive: false);
            }

            var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
            await stream.ReadExactlyAsync(payload);
            var (type, flags, of) = (head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)));
            switch (type)
            {
                case Settings when (flags & Acknowledge) == 0:
                    await stream.WriteAsync(Frame(Settings, Acknowledge, 0, []));
                    break;
                case Ping when (flags & Acknowledge) == 0:
                    await stream.WriteAsync(Frame(Ping, Acknowledge, 0, payload));
                    break;
                case GoAway:
                    return new Http2Answer(IsOk: false, body.ToString(), IsAlive: false);
                case Reset when of == id:
                    return new Http2Answer(IsOk: false, body.ToString(), IsAlive: true);
                case Headers when of == id && body.Length == 0:
                    // 200 is the static table's entry 8; a change of the dynamic table's size may stand before it.
                    isOk = payload.Length > 0 && payload[(payload[0] & 0xE0) == 0x20 && payload.Length > 1 ? 1 : 0] == 0x88;
                    break;
                case Data when of == id:
                    body.Append(Parts.Text(payload));
                    if (payload.Length > 0)
                        await stream.WriteAsync(Frame(WindowUpdate, 0, 0, [0, 0, (byte)(payload.Length >> 8), (byte)payload.Length]));
                    break;
            }

            if (of == id && type is Headers or Data && (flags & EndStream) != 0)
                return new Http2Answer(isOk, body.ToString(), IsAlive: true);
        }
    }

    private static byte[] Encode(IReadOnlyList<HeaderField> fields)
    {
        var block = new List<byte>();
        foreach (var (name, value) in fields)
        {
            block.Add(0);
            AppendText(block, name);
            AppendText(block, value);
        }

        return [.. block];
    }

    private static void AppendText(List<byte> block, string text)
    {
        // An integer with a prefix of seven bits (RFC 7541 5.1), without Huffman's bit.
        if (text.Length < 127)
        {
            block.Add((byte)text.Length);
        }
        else
        {
            block.Add(127);
            var rest = text.Length - 127;
            for (; rest >= 128; rest >>= 7)
                block.Add((byte)(rest | 128));
            block.Add((byte)rest);
        }

        block.AddRange(Parts.Bytes(text));
    }

    private static byte[] Frame(byte type, byte flags, int id, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[9 + payload.Length];
        (frame[0], frame[1], frame[2], frame[3], frame[4]) = ((byte)(payload.Length >> 16), (byte)(payload.Length >> 8), (byte)payload.Length, type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), id);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }
}
