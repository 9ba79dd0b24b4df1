using System.Collections.Concurrent;
using System.Security.Authentication;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Tls;

/// <summary>Connects loops with one endpoint that speaks TLS. Thread-safe.</summary>
internal sealed class TlsDialer(GatewayRuntime runtime, BackendState backend, EndpointState endpoint, UpstreamTls tls) : IUpstreamDialer
{
    /// <summary>Null: the backend's endpoints are spoken to in plain TCP.</summary>
    public static TlsDialer? Of(GatewayRuntime runtime, BackendState backend, EndpointState endpoint) =>
        backend.Tls is { } tls ? new TlsDialer(runtime, backend, endpoint, tls) : null;

    public SocketLink Dial(int fd, in NativeAddress target, DialTicket ticket, EventLoop loop)
    {
        var link = new TlsLink(fd, target.ToEndPoint(), loop, ticket, this, runtime.Links);
        ThreadPool.UnsafeQueueUserWorkItem(static link => _ = link.RunAsync(), link, preferLocal: false);
        return link;
    }

    /// <summary>The endpoint's, as it is configured: the name in it may be what its certificate must show.</summary>
    public ValueTask<System.Net.Security.SslStream> AuthenticateAsync(Stream stream, CancellationToken cancel) =>
        tls.AuthenticateAsync(stream, endpoint.Address, cancel);

    public void OnConnected() => runtime.TlsFaults.Clear(endpoint.Id);

    public void OnRefused(AuthenticationException exception) => runtime.TlsFaults.Report(runtime.Logger, backend, endpoint, exception.Message);
}

/// <summary>Says once of each endpoint what is wrong with its TLS: every handshake fails for it, and one line tells all. Thread-safe.</summary>
internal sealed class TlsFaults
{
    private readonly ConcurrentDictionary<int, string> _told = new();

    public void Report(ILogger logger, BackendState backend, EndpointState endpoint, string fault)
    {
        var before = _told.GetValueOrDefault(endpoint.Id);
        if (before != fault && (before is null ? _told.TryAdd(endpoint.Id, fault) : _told.TryUpdate(endpoint.Id, fault, before)))
            UpstreamTlsLog.Failed(logger, endpoint.ToString(), backend.Name, fault);
    }

    /// <summary>It is well: the same fault is worth a line again.</summary>
    public void Clear(int endpointId)
    {
        if (!_told.IsEmpty)
            _told.TryRemove(endpointId, out _);
    }
}

/// <summary>Messages of TLS towards endpoints. Ids 1320 to 1329; next free: 1321.</summary>
internal static partial class UpstreamTlsLog
{
    [LoggerMessage(1320, LogLevel.Error, "TLS with {Endpoint} of {Backend} fails: {Fault}")]
    public static partial void Failed(ILogger logger, string endpoint, string backend, string fault);
}
