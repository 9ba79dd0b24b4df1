using System.Diagnostics.CodeAnalysis;

namespace Holdfast.Wire.Dns;

/// <summary>
/// A whole domain name in the form of the wire: labels with their lengths, then the root, letters in lower case (names are compared without
/// regard to case, RFC 1035 section 2.3.3). Immutable; at most <see cref="MaxLength"/> bytes.
/// </summary>
public sealed class DnsName
{
    /// <summary>Bytes of the longest name, root included (RFC 1035 section 2.3.4).</summary>
    public const int MaxLength = 255;

    /// <summary>Bytes of the longest label.</summary>
    public const int MaxLabel = 63;

    /// <summary>Pointers followed in one name: it has no more labels. Unbounded, 64 KiB of pointers to pointers would take seconds to read.</summary>
    public const int MaxPointers = 127;

    private readonly byte[] _bytes;
    private readonly string _text;

    private DnsName(byte[] bytes, string text) => (_bytes, _text) = (bytes, text);

    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Reads <c>chat.default.svc</c>, with or without a dot at the end: labels of 1 to 63 visible ASCII characters, at least one.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out DnsName? name)
    {
        name = null;
        if (text.EndsWith('.'))
            text = text[..^1];
        // A length before the first label and the root after the last: two bytes more than characters.
        if (text.IsEmpty || text.Length > MaxLength - 2)
            return false;
        byte[] bytes = new byte[text.Length + 2];
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && text[i] != '.')
            {
                if (text[i] is <= ' ' or > '~')
                    return false;
                bytes[i + 1] = Lower((byte)text[i]);
                continue;
            }

            if (i - start is 0 or > MaxLabel)
                return false;
            bytes[start] = (byte)(i - start);
            start = i + 1;
        }

        name = new DnsName(bytes, text.ToString().ToLowerInvariant());
        return true;
    }

    /// <summary>In lower case, without a dot at the end.</summary>
    public override string ToString() => _text;

    /// <summary>
    /// Reads a name of a message, its compression followed (RFC 1035 section 4.1.4). A pointer must lead to before the labels that it ends,
    /// which every writer's does and which no loop can.
    /// </summary>
    /// <param name="name">At least <see cref="MaxLength"/> bytes.</param>
    /// <param name="length">Of the name, in bytes.</param>
    /// <param name="next">Where the message goes on behind the name.</param>
    internal static bool TryExpand(ReadOnlySpan<byte> message, int offset, Span<byte> name, out int length, out int next)
    {
        (length, next) = (0, -1);
        int start = offset, at = offset, pointers = 0;
        while (at < message.Length)
        {
            int count = message[at];
            if (count >= 0xC0)
            {
                if (at + 1 == message.Length)
                    return false;
                if (next < 0)
                    next = at + 2;
                int target = ((count & 0x3F) << 8) | message[at + 1];
                if (target < DnsResponse.HeaderLength || target >= start || ++pointers > MaxPointers)
                    return false;
                start = at = target;
                continue;
            }

            if (count > MaxLabel || at + 1 + count > message.Length || length + 1 + count > MaxLength)
                return false;
            name[length++] = (byte)count;
            foreach (byte b in message.Slice(at + 1, count))
                name[length++] = Lower(b);
            at += 1 + count;
            if (count > 0)
                continue;
            if (next < 0)
                next = at;
            return true;
        }

        return false;
    }

    private static byte Lower(byte b) => b is >= (byte)'A' and <= (byte)'Z' ? (byte)(b | 0x20) : b;
}
