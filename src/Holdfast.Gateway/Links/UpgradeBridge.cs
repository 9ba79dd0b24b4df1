using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Hosting;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Links;

/// <summary>
/// Brings WebSocket upgrades that Kestrel has read (on kept-alive connections, over TLS, or HTTP/2's) to the loops: one end of a pair of sockets becomes the loop's client, whose
/// handshake it does as any other's, and the other end is given here what the loop answers, and later says. Thread-safe.
/// </summary>
internal sealed class UpgradeBridge(GatewayRuntime runtime)
{
    /// <summary>Whether a request is for the loops to judge: by their own test, or by HTTP/2's (RFC 8441).</summary>
    public static bool IsUpgrade(PlainRequest request) => ConnectOf(request.Context) is { } connect
        ? connect.Protocol == "websocket"
        : request.Head.IsUpgrade;

    /// <summary>Null: it is no extended CONNECT.</summary>
    public static IHttpExtendedConnectFeature? ConnectOf(HttpContext context) =>
        context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect ? connect : null;

    /// <summary>
    /// Ends when the client has the loop's refusal, or its WebSocket is over; the loop counts it then. Otherwise it is the caller's to refuse with 503, for this reason. Never throws.
    /// </summary>
    public async Task<RequestOutcome?> RunAsync(PlainRequest request)
    {
        // A loop takes no new client any more either.
        if (runtime.Phase >= GatewayPhase.Closing)
            return RequestOutcome.Shutdown;

        var loop = LoopBalancer.LeastLoaded(runtime.Loops);
        if (Sys.OpenPair(SocketLink.BufferSize, out var near, out var far) < 0 || Math.Max(near, far) >= loop.DescriptorCap)
        {
            if (near >= 0)
            {
                Sys.Close(near);
                Sys.Close(far);
            }

            return RequestOutcome.GatewayFull;
        }

        using var link = new ClientLink(far, request, runtime.Links);
        loop.Connect(new LinkedRequest
        {
            Fd = near,
            Link = link,
            Peer = request.Connection.Peer,
            ListenerId = request.Connection.ListenerId,
            IsSecure = request.Connection.IsTls,
            IsCounted = link.IsHttp1,
            ClientCertificate = request.Connection.ClientCertificate,
            Head = request.Head.Bytes.ToArray(),
        });
        request.Dispose();      // A WebSocket that lives long needs its head no more.
        return await link.RunAsync().ConfigureAwait(false) ? null : RequestOutcome.Shutdown;
    }
}
