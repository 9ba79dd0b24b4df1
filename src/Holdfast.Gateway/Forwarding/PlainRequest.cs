using System.Text;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Holdfast.Gateway.Forwarding;

/// <summary>One plain request on its way to an endpoint: its target as it came, and who its client is.</summary>
internal sealed class PlainRequest
{
    private readonly byte[] _target;
    private readonly HeaderLookup _headers;

    /// <param name="trusted">Of its listener.</param>
    public PlainRequest(HttpContext context, HandedOff handedOff, TrustedProxies trusted)
    {
        (Context, HandedOff) = (context, handedOff);
        Target = OriginForm(context.Features.Get<IHttpRequestFeature>()!.RawTarget);
        _target = Encoding.Latin1.GetBytes(Target);
        _headers = new HeaderLookup(context.Request.Headers);
        Client = ClientAddress.Of(handedOff.Peer, _headers, trusted, out var isTrusted);
        IsTrusted = isTrusted;
    }

    public HttpContext Context { get; }

    public HandedOff HandedOff { get; }

    /// <summary>As trusted proxies say.</summary>
    public NativeAddress Client { get; }

    /// <summary>Whether the peer's X-Forwarded-* headers are believed.</summary>
    public bool IsTrusted { get; }

    /// <summary>In origin form, the path's encoding untouched.</summary>
    public string Target { get; }

    /// <summary>The client came over TLS.</summary>
    public bool IsSecure => string.Equals(Believed("X-Forwarded-Proto"), "https", StringComparison.OrdinalIgnoreCase);

    /// <summary>Names of headers that the auth service has set in place of the client's.</summary>
    public IReadOnlyCollection<string> Copied { get; set; } = [];

    public RequestView View
    {
        get
        {
            var question = Array.IndexOf(_target, (byte)'?');
            return new RequestView
            {
                Method = Encoding.Latin1.GetBytes(Context.Request.Method),
                Host = Encoding.Latin1.GetBytes(Context.Request.Host.Value ?? ""),
                Path = question < 0 ? _target : _target.AsSpan(0, question),
                Query = question < 0 ? default : _target.AsSpan(question + 1),
                Headers = _headers,
            };
        }
    }

    /// <summary>A forwarding header's first line, if it comes from a trusted proxy.</summary>
    public string? Believed(string name) => IsTrusted && Context.Request.Headers[name] is { Count: > 0 } lines ? lines[0] : null;

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

    /// <summary>Absolute form loses its scheme and authority, which equal Host; the path keeps its encoding. `*` stays.</summary>
    private static string OriginForm(string target)
    {
        if (target.StartsWith('/') || target.IndexOf("://", StringComparison.Ordinal) is var scheme && scheme < 0)
            return target;
        var path = target.AsSpan(scheme + 3).IndexOfAny('/', '?');
        return path < 0 ? "/" : target[scheme + 3 + path] == '?' ? "/" + target[(scheme + 3 + path)..] : target[(scheme + 3 + path)..];
    }

    private sealed class HeaderLookup(IHeaderDictionary headers) : IHeaderLookup
    {
        public bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value)
        {
            var found = headers.TryGetValue(Encoding.ASCII.GetString(name), out var values) && index < values.Count;
            value = found ? Encoding.Latin1.GetBytes(values[index] ?? "") : default;
            return found;
        }

        public int Count(ReadOnlySpan<byte> name) => headers[Encoding.ASCII.GetString(name)].Count;
    }
}
