using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Forwarding;

/// <summary>One request that Kestrel has read, by our own rules: its head as bytes, and who its client is. To be disposed when it is done with, and its connection stays open.</summary>
internal sealed class PlainRequest : IDisposable
{
    private readonly RequestGuard? _guard;
    private readonly string _listener;
    private RequestHead? _head;

    /// <param name="trusted">Of its listener.</param>
    /// <param name="listener">Its listener's name.</param>
    public PlainRequest(HttpContext context, ClientConnection connection, TrustedProxies trusted, string listener)
    {
        (Context, Connection, _listener) = (context, connection, listener);
        _guard = context.Features.Get<RequestGuard>();
        if (_guard is null && HttpProtocol.IsHttp2(context.Request.Protocol))
        {
            _head = RequestHeads.Rent();
            Fault = Http2Head.Parse(_head, context.Features);
        }
        else
        {
            var request = context.Features.Get<IHttpRequestFeature>()!;
            _head = _guard?.Claim(request.Method, request.RawTarget);
            if (_head is null)
            {
                context.Abort();
                throw new InvalidOperationException("The server has made another request of a connection's bytes than the guard before it.");
            }
        }

        Client = ClientAddress.Of(connection.Peer, Head, trusted, out var isTrusted);
        IsTrusted = isTrusted;
    }

    public HttpContext Context { get; }

    public ClientConnection Connection { get; }

    /// <summary>What the request is. Nothing else is asked about it: not Kestrel's view of it either, but for the body's bytes. Another request's once this one is disposed.</summary>
    public RequestHead Head => _head ?? throw new ObjectDisposedException(nameof(PlainRequest));

    /// <summary>Why it is refused, if it is.</summary>
    public HeadFault Fault { get; }

    /// <summary>How its body is framed towards the endpoint: <see cref="BodyFraming.None"/>, <see cref="BodyFraming.Length"/> or <see cref="BodyFraming.Chunked"/>.</summary>
    public BodyFraming Framing => Head.Framing;

    /// <summary>Its body could not be read for what it is, not for its end having come too early. Of HTTP/2 that is not told apart.</summary>
    public bool IsBodyMalformed => _guard?.IsBroken ?? true;

    /// <summary>As trusted proxies say.</summary>
    public NativeAddress Client { get; }

    /// <summary>Whether the peer's X-Forwarded-* headers are believed.</summary>
    public bool IsTrusted { get; }

    /// <summary>The client came over TLS: to this gateway, or to a trusted proxy before it.</summary>
    public bool IsSecure => IsTrusted && Head.TryGet("x-forwarded-proto"u8, out var proto) ? HeadRules.NameEquals(proto, "https"u8) : Connection.IsTls;

    /// <summary>Who was asked about it; null: nobody. What clients say under its names the endpoint does not see.</summary>
    public AuthGate? Auth { get; set; }

    /// <summary>Headers that the auth service has set in place of the client's. A client cannot name them away in Connection.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Copied { get; set; } = [];

    public RequestView View => Head.View with { Listener = _listener };

    /// <summary>
    /// To be called once a WebSocket has been granted, before anything of it is read: until then the guard passes nothing behind the request. False: it cannot be one.
    /// </summary>
    public bool TryApproveUpgrade() => _guard is null || _guard.TryApprove();

    /// <summary>The gateway's own answer; an answer that has begun is cut, so that the client cannot take it for a whole one.</summary>
    public async Task RefuseAsync(int status, string detail)
    {
        var response = Context.Response;
        if (response.HasStarted)
        {
            Context.Abort();
            return;
        }

        response.Clear();
        response.StatusCode = status;
        response.Headers.Connection = "close";
        if (status == 503)
            response.Headers.RetryAfter = "1";
        response.ContentType = "text/plain; charset=utf-8";
        await response.WriteAsync(detail + "\n", CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Gives the head back: a WebSocket that lives long should not keep it.</summary>
    public void Dispose()
    {
        if (_head is null)
            return;
        if (_guard is null)
            RequestHeads.Return(_head);
        else
            _guard.Release();
        _head = null;
    }
}
