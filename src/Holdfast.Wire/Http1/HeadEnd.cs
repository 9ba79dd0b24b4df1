namespace Holdfast.Wire.Http1;

/// <summary>Finds the empty line that ends a head.</summary>
public static class HeadEnd
{
    private static ReadOnlySpan<byte> EmptyLine => "\r\n\r\n"u8;

    /// <summary>The index just after the first CR LF CR LF, or -1. A bare LF ends nothing.</summary>
    /// <param name="buffer">All bytes of the head so far.</param>
    /// <param name="alreadySearched">How many of them an earlier call has seen without finding the end; 0 at first.</param>
    public static int Find(ReadOnlySpan<byte> buffer, int alreadySearched)
    {
        // The empty line may have begun in the last three bytes seen.
        int start = Math.Clamp(alreadySearched - (EmptyLine.Length - 1), 0, buffer.Length);
        int found = buffer[start..].IndexOf(EmptyLine);
        return found < 0 ? -1 : start + found + EmptyLine.Length;
    }
}
