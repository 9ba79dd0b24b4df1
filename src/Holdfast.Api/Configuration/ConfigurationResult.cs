namespace Holdfast.Api.Configuration;

/// <summary>What reading a configuration gave.</summary>
public sealed record ConfigurationResult
{
    /// <summary>Null exactly when <see cref="Faults"/> is not empty: a configuration with any fault is never applied.</summary>
    public GatewayConfiguration? Configuration { get; init; }

    /// <summary>Every fault found, in the file's order.</summary>
    public required IReadOnlyList<ConfigurationFault> Faults { get; init; }
}

/// <summary>One thing wrong in a configuration file.</summary>
/// <param name="File">As the caller named it.</param>
/// <param name="Line">From 1; 0 when the fault has no place (the file is missing).</param>
/// <param name="Column">From 1; 0 like <paramref name="Line"/>.</param>
/// <param name="Key">Key path, for example <c>backends.chat.keepAlive.pingInterval</c> or <c>routes[0].path</c>; empty for the document itself.</param>
/// <param name="Message">What is wrong, the bad value, and a good one.</param>
public sealed record ConfigurationFault(string File, int Line, int Column, string Key, string Message)
{
    /// <summary><c>file:line:column: key: message</c>.</summary>
    public override string ToString()
    {
        var place = Line > 0 ? FormattableString.Invariant($"{File}:{Line}:{Column}") : File;
        return Key.Length > 0 ? $"{place}: {Key}: {Message}" : $"{place}: {Message}";
    }
}
