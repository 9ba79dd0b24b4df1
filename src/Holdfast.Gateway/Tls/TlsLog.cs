using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Tls;

/// <summary>Messages of TLS. Ids 1300 to 1319; next free: 1307.</summary>
internal static partial class TlsLog
{
    [LoggerMessage(1300, LogLevel.Information, "{Certificate} replaced: the new one is in force for the next TLS handshake, and expires at {ExpiresAt}")]
    public static partial void Replaced(ILogger logger, string certificate, string expiresAt);

    [LoggerMessage(1301, LogLevel.Error, "{Fault}. What was read before stays in force")]
    public static partial void NotReplaced(ILogger logger, string fault);

    [LoggerMessage(1302, LogLevel.Warning, "{Certificate} expires at {ExpiresAt}, in {Days} days")]
    public static partial void ExpiresSoon(ILogger logger, string certificate, string expiresAt, int days);

    [LoggerMessage(1303, LogLevel.Error, "{Certificate} expired at {ExpiresAt}: TLS handshakes with it fail wherever certificates are verified")]
    public static partial void Expired(ILogger logger, string certificate, string expiresAt);

    [LoggerMessage(1304, LogLevel.Warning, "{Certificate} is not valid before {ValidFrom}: TLS handshakes with it fail until then wherever certificates are verified")]
    public static partial void NotYetValid(ILogger logger, string certificate, string validFrom);

    [LoggerMessage(1305, LogLevel.Debug, "TLS failed on {Listener}")]
    public static partial void Failed(ILogger logger, Exception? exception, string listener);

    [LoggerMessage(1306, LogLevel.Error, "Files of certificates are no longer looked at because of a bug; please report this")]
    public static partial void Bug(ILogger logger, Exception exception);
}
