using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Hosting;

/// <summary>Messages of the gateway's life. Ids 1000 to 1019; next free: 1013; 1006 and 1008 are retired.</summary>
internal static partial class HostLog
{
    [LoggerMessage(1000, LogLevel.Information, "Listening on {Listener} ({Address})")]
    public static partial void Listening(ILogger logger, string listener, string address);

    [LoggerMessage(1001, LogLevel.Information, "Admin API on {Address}")]
    public static partial void Admin(ILogger logger, string address);

    [LoggerMessage(1002, LogLevel.Information, "{Connections} connections fit under the limit of {Descriptors} open files; {Loops} event loops")]
    public static partial void Capacity(ILogger logger, int connections, long descriptors, int loops);

    [LoggerMessage(1003, LogLevel.Information, "Draining: not ready any more, still accepting for {Delay}, {Connections} connections")]
    public static partial void Draining(ILogger logger, TimeSpan delay, int connections);

    [LoggerMessage(1004, LogLevel.Information, "Closing {Connections} connections")]
    public static partial void Closing(ILogger logger, int connections);

    [LoggerMessage(1005, LogLevel.Information, "Stopped")]
    public static partial void Stopped(ILogger logger);

    [LoggerMessage(1007, LogLevel.Error, "A handshake was refused because of a bug; please report this")]
    public static partial void Bug(ILogger logger, Exception exception);

    [LoggerMessage(1009, LogLevel.Information, "Draining {Endpoint} of {Backend} ({Cause}): {Connections} connections")]
    public static partial void EndpointDraining(ILogger logger, string backend, string endpoint, string cause, int connections);

    [LoggerMessage(1010, LogLevel.Information, "{Endpoint} of {Backend} is back: {Connections} connections stay")]
    public static partial void EndpointReturned(ILogger logger, string backend, string endpoint, int connections);

    [LoggerMessage(1011, LogLevel.Information, "{Endpoint} of {Backend} is gone")]
    public static partial void EndpointGone(ILogger logger, string backend, string endpoint);

    [LoggerMessage(1012, LogLevel.Information, "No longer listening on {Listener} ({Address}); its connections stay")]
    public static partial void NotListening(ILogger logger, string listener, string address);
}
