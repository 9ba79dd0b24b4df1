using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Auth;

/// <summary>Messages of auth services: told when one begins to fail and when it works again, not at every question. Ids 1250 to 1259; next free: 1253.</summary>
internal static partial class AuthLog
{
    [LoggerMessage(1250, LogLevel.Error, "Auth of {Backend} fails, and what it is asked about is refused with 503: {Detail}")]
    public static partial void Failing(ILogger logger, string backend, string detail);

    [LoggerMessage(1251, LogLevel.Information, "Auth of {Backend} answers again")]
    public static partial void Recovered(ILogger logger, string backend);

    /// <summary>Without the exception's message: it may quote what the service was told.</summary>
    [LoggerMessage(1252, LogLevel.Error, "Auth of {Backend} could not be asked because of a bug; please report this: {Kind} {Where}")]
    public static partial void Bug(ILogger logger, string backend, string kind, string? where);
}
