namespace Holdfast.Fuzz;

/// <summary>Makes new inputs of old ones by small random changes. All randomness comes from the given source.</summary>
internal sealed class Mutator(Random random)
{
    private const int MaxLength = 64 * 1024;

    private static readonly byte[][] Tokens =
    [
        .. new[]
        {
            "\r\n", "\r\n\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", ";", "\"", "0\r\n\r\n", "ffffffffffffffff", "7fffffffffffffff", "::", "[", "]",
            "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Connection: Upgrade\r\n", "chunked", "permessage-deflate",
        }.Select(System.Text.Encoding.Latin1.GetBytes),
        [0x7E, 0x00, 0x7E], [0x7F, 0, 0, 0, 0, 0, 1, 0, 0], [0x80, 0], [0x00, 0], [0x89, 0], [0x88, 2, 3, 0xE8],
        [0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], [0xFE, 0xFF, 0xFF],
        // A pointer to the question of a DNS message, and the fixed part of its records.
        [0xC0, 0x0C], [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4], [0xC0, 0x0C, 0, 5, 0, 1, 0, 0, 0, 5, 0, 2],
    ];

    public byte[] Mutate(byte[] input, IReadOnlyList<byte[]> others)
    {
        var bytes = new List<byte>(input);
        for (int changes = 1 + random.Next(4); changes > 0; changes--)
            Change(bytes, others);
        if (bytes.Count > MaxLength)
            bytes.RemoveRange(MaxLength, bytes.Count - MaxLength);
        return [.. bytes];
    }

    private void Change(List<byte> bytes, IReadOnlyList<byte[]> others)
    {
        int at = random.Next(bytes.Count + 1);
        int rest = bytes.Count - at;
        switch (random.Next(8))
        {
            case 0 when rest > 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when rest > 0:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2 when rest > 0:
                bytes.RemoveRange(at, 1 + random.Next(Math.Min(rest, 16)));
                break;
            case 3 when rest > 0:
                bytes.InsertRange(at, bytes.GetRange(at, 1 + random.Next(Math.Min(rest, 64))));
                break;
            case 4:
                bytes.Insert(at, (byte)random.Next(256));
                break;
            case 5 when others.Count > 0:
                byte[] other = others[random.Next(others.Count)];
                bytes.RemoveRange(at, rest);
                bytes.AddRange(other.AsSpan(random.Next(other.Length + 1)));
                break;
            case 6 when rest > 0:
                bytes.RemoveRange(at, rest);
                break;
            default:
                bytes.InsertRange(at, Tokens[random.Next(Tokens.Length)]);
                break;
        }
    }
}
