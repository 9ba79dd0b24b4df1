using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Configuration;

/// <summary>Messages of live changes. Ids 1200 to 1249; next free: 1207.</summary>
internal static partial class ConfigurationLog
{
    [LoggerMessage(1200, LogLevel.Information, "Configuration applied: {Listeners} listeners, {Routes} routes, {Backends} backends; {Hash}")]
    public static partial void Applied(ILogger logger, int listeners, int routes, int backends, string hash);

    [LoggerMessage(1201, LogLevel.Error, "Configuration rejected, faults: {Count}. The one applied at {AppliedAt} stays in force")]
    public static partial void Rejected(ILogger logger, int count, string appliedAt);

    [LoggerMessage(1202, LogLevel.Error, "{Fault}")]
    public static partial void Fault(ILogger logger, string fault);

    [LoggerMessage(1203, LogLevel.Warning, "Needs a restart: {Keys}. The admin API stays on {Address} until then; the rest of the change is applied")]
    public static partial void NeedsRestart(ILogger logger, string keys, string address);

    [LoggerMessage(1204, LogLevel.Information, "The system gives no notice of changes of {File}; looking every {Interval}")]
    public static partial void NoNotices(ILogger logger, string file, TimeSpan interval);

    [LoggerMessage(1205, LogLevel.Information, "{File} is a pipe: the configuration stays as it is until a restart")]
    public static partial void NotWatched(ILogger logger, string file);

    [LoggerMessage(1206, LogLevel.Error, "A change of the configuration was not applied because of a bug; please report this")]
    public static partial void Bug(ILogger logger, Exception exception);
}
