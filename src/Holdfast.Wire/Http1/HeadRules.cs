using System.Buffers;
using System.Text;

namespace Holdfast.Wire.Http1;

/// <summary>
/// The strict rules for heads, on spans: what lax parsers let through and two parsers in a row may read differently
/// (RFC 9110 section 5, RFC 9112 sections 2, 3, 5 and 6). Thread-safe, allocation-free, never throws.
/// </summary>
public static class HeadRules
{
    /// <summary>Of 2^63 - 1.</summary>
    private const int MaxLengthDigits = 19;

    private static readonly SearchValues<byte> Controls = SearchValues.Create(ControlsButTab());

    private static readonly SearchValues<byte> TokenBytes = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly SearchValues<byte> TargetBytes = SearchValues.Create(VisibleButHash());

    /// <summary>
    /// Whether every CR is followed by LF, every LF preceded by CR, and no other control byte but HTAB is there: one pass over a whole head.
    /// </summary>
    public static bool CrLfOnly(ReadOnlySpan<byte> head)
    {
        for (int i; (i = head.IndexOfAny(Controls)) >= 0; head = head[(i + 2)..])
        {
            if (head[i] != (byte)'\r' || i + 1 >= head.Length || head[i + 1] != (byte)'\n')
                return false;
        }

        return true;
    }

    /// <summary>A token (RFC 9110 section 5.6.2), as header names and methods must be: not empty, no separators, ASCII.</summary>
    public static bool IsToken(ReadOnlySpan<byte> name) => !name.IsEmpty && !name.ContainsAnyExcept(TokenBytes);

    /// <summary>A field value (RFC 9110 section 5.5): no control byte but HTAB. Bytes from 128 up are opaque; it may be empty.</summary>
    public static bool IsFieldValue(ReadOnlySpan<byte> value) => !value.ContainsAny(Controls);

    /// <summary>A request target's bytes: 33 to 126 without '#', at least one. Its form is for the caller to judge.</summary>
    public static bool IsRequestTarget(ReadOnlySpan<byte> target) => !target.IsEmpty && !target.ContainsAnyExcept(TargetBytes);

    /// <summary>A Content-Length (RFC 9110 section 8.6): at most 19 digits and nothing else, at most 2^63 - 1. No sign, no list, no space.</summary>
    public static bool TryParseContentLength(ReadOnlySpan<byte> value, out long length)
    {
        length = 0;
        // Other readers take no more digits, zeros or not.
        if (value.IsEmpty || value.Length > MaxLengthDigits)
            return false;

        ulong sum = 0;
        foreach (byte digit in value)
        {
            uint number = (uint)digit - '0';
            if (number > 9 || sum > ((ulong)long.MaxValue - number) / 10)
                return false;
            sum = (sum * 10) + number;
        }

        length = (long)sum;
        return true;
    }

    /// <summary>Whether a comma-separated list, such as the value of Connection or Upgrade, names the token in any case.</summary>
    public static bool ContainsToken(ReadOnlySpan<byte> list, ReadOnlySpan<byte> token)
    {
        while (true)
        {
            int comma = list.IndexOf((byte)',');
            ReadOnlySpan<byte> element = comma < 0 ? list : list[..comma];
            if (NameEquals(element.Trim(" \t"u8), token))
                return true;
            if (comma < 0)
                return false;
            list = list[(comma + 1)..];
        }
    }

    /// <summary>Whether two header names or tokens are the same in any case (ASCII).</summary>
    public static bool NameEquals(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => Ascii.EqualsIgnoreCase(left, right);

    /// <summary>Whether a Connection value is one of the options that everybody sends, none of which names a header that is passed on.</summary>
    public static bool IsUsualConnection(ReadOnlySpan<byte> value) =>
        NameEquals(value, "keep-alive"u8) || NameEquals(value, "close"u8) || NameEquals(value, "upgrade"u8);

    /// <summary>A Host value; see <see cref="HostSyntax"/>.</summary>
    public static bool IsHost(ReadOnlySpan<byte> value) => HostSyntax.IsHost(value);

    private static byte[] ControlsButTab() => [.. Enumerable.Range(0, 32).Where(b => b != '\t').Append(127).Select(b => (byte)b)];

    private static byte[] VisibleButHash() => [.. Enumerable.Range(33, 126 - 33 + 1).Where(b => b != '#').Select(b => (byte)b)];
}
