using System.Text;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Forwarding;

/// <summary>One request that Kestrel has read, by our own rules: its head as bytes, and who its client is.</summary>
internal sealed class PlainRequest
{
    private readonly string _listener;

    /// <param name="trusted">Of its listener.</param>
    /// <param name="listener">Its listener's name.</param>
    public PlainRequest(HttpContext context, ClientConnection connection, TrustedProxies trusted, string listener)
    {
        (Context, Connection, _listener) = (context, connection, listener);
        Fault = Head.Parse(BytesOf(context));
        Client = ClientAddress.Of(connection.Peer, Head, trusted, out var isTrusted);
        IsTrusted = isTrusted;
    }

    public HttpContext Context { get; }

    public ClientConnection Connection { get; }

    /// <summary>What the request is. Nothing else is asked about it: not Kestrel's view of it either, but for the body's bytes.</summary>
    public RequestHead Head { get; } = new();

    /// <summary>Why it is refused, if it is.</summary>
    public HeadFault Fault { get; }

    /// <summary>As trusted proxies say.</summary>
    public NativeAddress Client { get; }

    /// <summary>Whether the peer's X-Forwarded-* headers are believed.</summary>
    public bool IsTrusted { get; }

    /// <summary>The client came over TLS: to this gateway, or to a trusted proxy before it.</summary>
    public bool IsSecure => IsTrusted && Head.TryGet("x-forwarded-proto"u8, out var proto) ? Wire.Http1.HeadRules.NameEquals(proto, "https"u8) : Connection.IsTls;

    /// <summary>Who was asked about it; null: nobody. What clients say under its names the endpoint does not see.</summary>
    public AuthGate? Auth { get; set; }

    /// <summary>Headers that the auth service has set in place of the client's. A client cannot name them away in Connection.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Copied { get; set; } = [];

    public RequestView View => Head.View with { Listener = _listener };

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

    /// <summary>The head in HTTP/1.1's form.</summary>
    private static ReadOnlySpan<byte> BytesOf(HttpContext context)
    {
        var request = context.Features.Get<IHttpRequestFeature>()!;
        var bytes = new ByteBuffer();
        Append($"{request.Method} {request.RawTarget} HTTP/1.1\r\n");
        foreach (var (name, values) in request.Headers)
        {
            foreach (var value in values)
                Append($"{name}: {value}\r\n");
        }

        Append("\r\n");
        return bytes.Bytes;

        void Append(string text) => bytes.Append(Encoding.Latin1.GetBytes(text));
    }
}
