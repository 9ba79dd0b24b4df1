using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Discovery;

/// <summary>Messages of name look-ups: told when something changes, not at every look-up. Ids 1020 to 1039; next free: 1027.</summary>
internal static partial class DiscoveryLog
{
    [LoggerMessage(1020, LogLevel.Warning, "Backend {Backend}: {Name} has no addresses yet ({Answer}); asking again every {Interval}")]
    public static partial void NoneYet(ILogger logger, string backend, string name, NameAnswer answer, TimeSpan interval);

    [LoggerMessage(1021, LogLevel.Information, "Backend {Backend}: {FullName} has {Count} addresses; {Added} new, {Missing} missing")]
    public static partial void Changed(ILogger logger, string backend, string fullName, int count, int added, int missing);

    [LoggerMessage(1022, LogLevel.Warning, "Backend {Backend}: {Name} failed ({Answer}); what failed keeps its last good answer, {Count} addresses in all")]
    public static partial void Failing(ILogger logger, string backend, string name, NameAnswer answer, int count);

    [LoggerMessage(1023, LogLevel.Information, "Backend {Backend}: {FullName} answers again, {Count} addresses")]
    public static partial void Recovered(ILogger logger, string backend, string fullName, int count);

    [LoggerMessage(1024, LogLevel.Warning, "Endpoint host {Host} failed ({Answer}); {Count} addresses are known, asking again every {Interval}")]
    public static partial void HostFailing(ILogger logger, string host, NameAnswer answer, int count, TimeSpan interval);

    [LoggerMessage(1025, LogLevel.Information, "Endpoint host {Host} answers, {Count} addresses")]
    public static partial void HostKnown(ILogger logger, string host, int count);

    [LoggerMessage(1026, LogLevel.Error, "A look-up failed because of a bug; please report this")]
    public static partial void Bug(ILogger logger, Exception exception);
}
