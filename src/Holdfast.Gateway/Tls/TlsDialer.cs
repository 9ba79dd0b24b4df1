using System.Net.Security;
using System.Security.Authentication;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Tls;

/// <summary>Connects the loops with one endpoint by TLS. Thread-safe.</summary>
internal sealed class TlsDialer(UpstreamTls tls, EndpointState endpoint, string backend, BackendHost host) : IUpstreamDialer
{
    private string? _told;

    public UpstreamTls Tls { get; } = tls;

    public SocketLink Dial(int fd, in NativeAddress target, DialTicket ticket, EventLoop loop)
    {
        var link = new TlsLink(fd, target.ToEndPoint(), loop, ticket, this, host.Links);
        ThreadPool.UnsafeQueueUserWorkItem(static link => _ = link.RunAsync(), link, preferLocal: false);
        return link;
    }

    /// <summary>As <see cref="UpstreamTls.AuthenticateAsync"/>. Says once what is wrong: every handshake fails for it, and one line tells all.</summary>
    public async ValueTask<SslStream> AuthenticateAsync(Stream stream, CancellationToken cancel)
    {
        try
        {
            var authenticated = await Tls.AuthenticateAsync(stream, endpoint.Address, cancel).ConfigureAwait(false);
            Volatile.Write(ref _told, null);
            return authenticated;
        }
        catch (AuthenticationException e)
        {
            if (Interlocked.Exchange(ref _told, e.Message) != e.Message)
                UpstreamTlsLog.Failed(host.Logger(), endpoint.ToString(), backend, e.Message);
            throw;
        }
    }
}

/// <summary>Messages of TLS towards endpoints. Ids 1320 to 1329; next free: 1321.</summary>
internal static partial class UpstreamTlsLog
{
    [LoggerMessage(1320, LogLevel.Error, "TLS with {Endpoint} of {Backend} fails: {Fault}")]
    public static partial void Failed(ILogger logger, string endpoint, string backend, string fault);
}
