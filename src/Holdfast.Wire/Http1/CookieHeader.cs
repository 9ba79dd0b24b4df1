namespace Holdfast.Wire.Http1;

/// <summary>Finds cookies in the value of a <c>Cookie</c> header (RFC 6265 4.2.1). Pure; allocates nothing; never fails: what is no pair of name and value is passed over.</summary>
public static class CookieHeader
{
    /// <summary>The next cookie of this name. Several may have it: other paths, other domains, one that a neighbour planted.</summary>
    /// <param name="rest">The header's value at first; what is left of it after each call.</param>
    /// <param name="name">Compared with case, as browsers do.</param>
    /// <param name="value">As it is, without white space around it; quotes are part of it.</param>
    public static bool TryNext(ref ReadOnlySpan<byte> rest, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        while (!rest.IsEmpty)
        {
            var end = rest.IndexOf((byte)';');
            var pair = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            var equals = pair.IndexOf((byte)'=');
            if (equals < 0 || !pair[..equals].Trim(" \t"u8).SequenceEqual(name))
                continue;
            value = pair[(equals + 1)..].Trim(" \t"u8);
            return true;
        }

        value = default;
        return false;
    }
}
