namespace Holdfast.Gateway.Routing;

/// <summary>What a request offers to be matched by: spans into the head that was parsed, valid only during the call.</summary>
internal readonly ref struct RequestView
{
    public required ReadOnlySpan<byte> Method { get; init; }

    /// <summary>The Host value as received: any case, with or without port and trailing dot.</summary>
    public required ReadOnlySpan<byte> Host { get; init; }

    /// <summary>The target before '?', as received.</summary>
    public required ReadOnlySpan<byte> Path { get; init; }

    /// <summary>The target after the first '?', without it; empty when there is none.</summary>
    public ReadOnlySpan<byte> Query { get; init; }

    /// <summary>Name of the listener that it came in by; null: not known, and routes that name listeners do not serve it.</summary>
    public string? Listener { get; init; }

    /// <summary>Null: a request without headers.</summary>
    public IHeaderLookup? Headers { get; init; }
}

/// <summary>
/// Finds header values in a parsed head. Implemented by an object that lives as long as its loop, so that a look-up allocates nothing.
/// </summary>
internal interface IHeaderLookup
{
    /// <summary>The first line of this name, without white space around its value.</summary>
    /// <param name="name">Lower case; compared ignoring case.</param>
    /// <param name="value">Valid only during the caller's call.</param>
    bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) => TryGet(name, 0, out value);

    /// <summary>A line of this name, the first being 0, without white space around its value. False: there are not so many.</summary>
    bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value);

    /// <summary>How many lines have this name.</summary>
    int Count(ReadOnlySpan<byte> name);
}
