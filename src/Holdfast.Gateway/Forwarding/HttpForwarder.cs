using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Holdfast.Gateway.Forwarding;

/// <summary>
/// Forwards plain HTTP to the same backends as the WebSockets, streaming both ways. Each client connection carries one request and then
/// closes: an upgrade that came on a kept-alive connection would miss the loops.
/// </summary>
internal sealed class HttpForwarder : IDisposable
{
    /// <summary>Bytes copied at once; each piece is flushed, so events and long polls are not held back.</summary>
    private const int CopySize = 16 * 1024;

    private readonly GatewayRuntime _runtime;
    private readonly Lazy<HttpMessageInvoker> _client = new(CreateClient);

    public HttpForwarder(GatewayRuntime runtime) => _runtime = runtime;

    public async Task ForwardAsync(HttpContext context, HandedOff handedOff)
    {
        context.Response.Headers.Connection = "close";
        var request = context.Request;
        var rawTarget = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var target = OriginForm(rawTarget);
        var targetBytes = Encoding.Latin1.GetBytes(target);
        if (!_runtime.Routes.TryMatch(ViewOf(request, targetBytes), out var route))
        {
            await RefuseAsync(context, 404, "No route matches this host and path.").ConfigureAwait(false);
            return;
        }

#pragma warning disable RS0030 // Thread-safe, and fairness is all that hangs on it.
        var random = Random.Shared;
#pragma warning restore RS0030
        if (route.Choose(random) is not { } backend)
        {
            await RefuseAsync(context, 500, "Every backend of the route has weight 0.").ConfigureAwait(false);
            return;
        }

        var auth = backend.Auth;
        IReadOnlyList<KeyValuePair<string, string>> copied = [];
        if (auth is not null)
        {
            if (await AskAsync(auth, context, handedOff, target).ConfigureAwait(false) is not { } admitted)
                return;
            copied = admitted;
        }

        var client = new IPEndPoint(context.Connection.RemoteIpAddress ?? IPAddress.None, context.Connection.RemotePort);
        var affinity = backend.Affinity;
        // As the endpoint gets it: what clients may not say is not there, what the auth service said is.
        var sent = new SentHeaders(request.Headers, name => UpgradeHeads.IsStripped(name, IsTrusted(client, handedOff)) || auth?.IsCopied(name) == true, copied);
        var key = affinity.KeyOf(ViewOf(request, targetBytes, sent), NativeAddress.From(client), _runtime.Time.GetUtcNow().ToUnixTimeSeconds());
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        if (route.Options.Timeouts.Request > TimeSpan.Zero)
            timeout.CancelAfter(route.Options.Timeouts.Request);
        var tried = new List<int>(HandshakeAttempt.Most);
        var hasBody = context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody ?? true;
        try
        {
            while (true)
            {
                var endpoint = Pick(backend, in key, random, tried, out var trial);
                if (endpoint?.Resolved is not { } resolved)
                {
                    if (endpoint is not null)
                        backend.Ejections.GiveBack(endpoint, trial, _runtime.Clock.Milliseconds);
                    var detail = tried.Count == 0 ? Refusals.DescribeNone(backend) : "No endpoint of the backend could be reached.";
                    await RefuseAsync(context, tried.Count == 0 ? 503 : 502, detail).ConfigureAwait(false);
                    return;
                }

                try
                {
                    using var message = CreateRequest(context, handedOff, resolved.Address, target, hasBody, auth);
                    foreach (var (name, value) in copied)
                        message.Headers.TryAddWithoutValidation(name, value);
                    using var answer = await _client.Value.SendAsync(message, timeout.Token).ConfigureAwait(false);
                    backend.Ejections.Answered(endpoint, trial, _runtime.Clock.Milliseconds);
                    var cookie = affinity.SetsCookie(in key, endpoint) ? CookieOf(affinity, endpoint, request, IsTrusted(client, handedOff)) : null;
                    await AnswerAsync(context, answer, cookie, timeout.Token).ConfigureAwait(false);
                    return;
                }
                catch (Exception e) when (IsConnectFailure(e, timeout.Token))
                {
                    if (!IsLocal(e))
                        backend.Ejections.Failed(endpoint, trial, _runtime.Clock.Milliseconds, isHandshake: false);
                    // No byte of the request has left: another endpoint may have it.
                    if (tried.Count == HandshakeAttempt.Most)
                        throw;
                }
                finally
                {
                    backend.Ejections.GiveBack(endpoint, trial, _runtime.Clock.Milliseconds);
                }
            }
        }
        catch (OperationCanceledException)
        {
            if (!context.RequestAborted.IsCancellationRequested)
                await RefuseAsync(context, 504, "The endpoint did not answer in time.").ConfigureAwait(false);
        }
        catch (Exception e) when ((e as BadHttpRequestException ?? e.InnerException as BadHttpRequestException) is { } bad)
        {
            await RefuseAsync(context, bad.StatusCode, "The request's body is malformed.").ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            await RefuseAsync(context, 502, "The endpoint broke the connection or answered no valid HTTP.").ConfigureAwait(false);
        }
    }

    /// <summary>Absolute form loses its scheme and authority, which equal Host; the path keeps its encoding. `*` stays.</summary>
    private static string OriginForm(string target)
    {
        if (target.StartsWith('/') || target.IndexOf("://", StringComparison.Ordinal) is var scheme && scheme < 0)
            return target;
        var path = target.AsSpan(scheme + 3).IndexOfAny('/', '?');
        return path < 0 ? "/" : target[scheme + 3 + path] == '?' ? "/" + target[(scheme + 3 + path)..] : target[(scheme + 3 + path)..];
    }

    public void Dispose()
    {
        if (_client.IsValueCreated)
            _client.Value.Dispose();
    }

    private static HttpMessageInvoker CreateClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        // Values are the peers' bytes, to be passed on as they are.
        RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
    });

    private static async Task RefuseAsync(HttpContext context, int status, string detail)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();    // The client must not take a cut answer for a whole one.
            return;
        }

        context.Response.Clear();
        context.Response.StatusCode = status;
        context.Response.Headers.Connection = "close";
        if (status == 503)
            context.Response.Headers.RetryAfter = "1";
        context.Response.ContentType = "text/plain; charset=utf-8";
        await context.Response.WriteAsync(detail + "\n", CancellationToken.None).ConfigureAwait(false);
    }

    /// <summary>Refused, unreachable, or not connected within the client's own time.</summary>
    private static bool IsConnectFailure(Exception exception, CancellationToken cancel) => exception switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } => true,
        OperationCanceledException { InnerException: TimeoutException } => !cancel.IsCancellationRequested,
        _ => false,
    };

    /// <summary>For want of descriptors, ports or memory of our own: it says nothing of the endpoint.</summary>
    private static bool IsLocal(Exception exception) => exception.InnerException is SocketException
    {
        SocketErrorCode: SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable,
    };

    /// <summary>A request is no connection: it weighs nothing in the balance of sockets.</summary>
    private EndpointState? Pick(BackendState backend, in AffinityKey key, Random random, List<int> tried, out long trial)
    {
        Span<int> excluded = stackalloc int[HandshakeAttempt.Most];
        for (var i = 0; i < tried.Count; i++)
            excluded[i] = tried[i];
        var request = new PickRequest(random, _runtime.Clock.Milliseconds, excluded[..tried.Count]) { IsHandshake = false, Key = key };
        var endpoint = backend.Pick(in request, out trial);
        if (endpoint is not null)
            tried.Add(endpoint.Id);
        return endpoint;
    }

    private static RequestView ViewOf(HttpRequest request, byte[] target, IHeaderLookup? headers = null)
    {
        var question = Array.IndexOf(target, (byte)'?');
        return new RequestView
        {
            Method = Encoding.Latin1.GetBytes(request.Method),
            Host = Encoding.Latin1.GetBytes(request.Host.Value ?? ""),
            Path = question < 0 ? target : target.AsSpan(0, question),
            Query = question < 0 ? default : target.AsSpan(question + 1),
            Headers = headers ?? new HeaderLookup(request.Headers),
        };
    }

    /// <summary>Asks the auth service before anything of the body is read. What the endpoint is sent of its answer; null: the client has got its own.</summary>
    private async Task<IReadOnlyList<KeyValuePair<string, string>>?> AskAsync(AuthGate auth, HttpContext context, HandedOff handedOff, string target)
    {
        AuthAnswer answer;
        try
        {
            answer = await auth.AskInTurnAsync(QuestionOf(auth, context, handedOff, target), context.RequestAborted).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return null;    // The client has left.
        }

        switch (answer.Verdict)
        {
            case AuthVerdict.Allowed:
                return answer.Headers;
            case AuthVerdict.Refused:
                await RelayAsync(context, answer).ConfigureAwait(false);
                return null;
            default:
                await RefuseAsync(context, 503, answer.Detail).ConfigureAwait(false);
                return null;
        }
    }

    private AuthQuestion QuestionOf(AuthGate auth, HttpContext context, HandedOff handedOff, string target)
    {
        var request = context.Request;
        var client = NativeAddress.From(new IPEndPoint(context.Connection.RemoteIpAddress ?? IPAddress.None, context.Connection.RemotePort));
        var trusted = HandshakePolicy.IsTrusted(_runtime.ListenerOf(handedOff.ListenerId).Options.TrustedProxies, client);
        var (scheme, host) = trusted ? (request.Headers["X-Forwarded-Proto"], request.Headers["X-Forwarded-Host"]) : default;
        return AuthQuestion.From(auth, ViewOf(request, Encoding.Latin1.GetBytes(target)), client, scheme.Count > 0 ? scheme[0]! : "http", Encoding.Latin1.GetBytes(host.Count > 0 ? host[0]! : ""));
    }

    private static async Task RelayAsync(HttpContext context, AuthAnswer answer)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
            response.Headers.Append(name, value);
        response.ContentLength = answer.Body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
            await response.BodyWriter.WriteAsync(answer.Body, context.RequestAborted).ConfigureAwait(false);
    }

    private bool IsTrusted(IPEndPoint peer, HandedOff handedOff) =>
        HandshakePolicy.IsTrusted(_runtime.ListenerOf(handedOff.ListenerId).Options.TrustedProxies, NativeAddress.From(peer));

    private string CookieOf(AffinityPlan affinity, EndpointState endpoint, HttpRequest request, bool isTrusted)
    {
        var output = new ByteBuffer();
        var isSecure = isTrusted && string.Equals(request.Headers["X-Forwarded-Proto"].FirstOrDefault(), "https", StringComparison.OrdinalIgnoreCase);
        affinity.WriteCookie(output, endpoint, isSecure, _runtime.Time.GetUtcNow().ToUnixTimeSeconds());
        return Encoding.Latin1.GetString(output.Bytes);
    }

    private static async Task AnswerAsync(HttpContext context, HttpResponseMessage answer, string? cookie, CancellationToken cancel)
    {
        // Nobody asked for another protocol, and a body with two lengths is read differently by two readers.
        if (answer.StatusCode == HttpStatusCode.SwitchingProtocols
            || (answer.Headers.TransferEncodingChunked == true && answer.Content.Headers.NonValidated.Contains("Content-Length")))
            throw new HttpRequestException(HttpRequestError.InvalidResponse, "101, or chunked with Content-Length");
        var response = context.Response;
        response.StatusCode = (int)answer.StatusCode;
        context.Features.Get<IHttpResponseFeature>()!.ReasonPhrase = answer.ReasonPhrase;
        var perHop = answer.Headers.Connection;
        CopyHeaders(answer.Headers.NonValidated, response.Headers, perHop);
        CopyHeaders(answer.Content.Headers.NonValidated, response.Headers, perHop);
        response.Headers.Connection = "close";
        if (cookie is not null)
            response.Headers.Append("Set-Cookie", cookie);
        if (HttpMethods.IsHead(context.Request.Method) || answer.StatusCode is HttpStatusCode.NotModified or HttpStatusCode.NoContent)
            return;

        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        await response.StartAsync(cancel).ConfigureAwait(false);
        await response.BodyWriter.FlushAsync(cancel).ConfigureAwait(false);     // The first event may be long in coming.
        var body = await answer.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            while (true)
            {
                var read = await body.ReadAsync(response.BodyWriter.GetMemory(CopySize), cancel).ConfigureAwait(false);
                if (read == 0)
                    return;
                response.BodyWriter.Advance(read);
                if ((await response.BodyWriter.FlushAsync(cancel).ConfigureAwait(false)).IsCompleted)
                    return;
            }
        }
    }

    private HttpRequestMessage CreateRequest(HttpContext context, HandedOff handedOff, NativeAddress address, string target, bool hasBody, AuthGate? auth)
    {
        var request = context.Request;
        // The path goes on as it came: no decoding, no dot segments resolved, or the gateway and the endpoint could see different requests.
        var uri = new Uri("http://" + address.ToEndPoint() + target, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var message = new HttpRequestMessage(new HttpMethod(request.Method), uri) { Version = HttpVersion.Version11 };
        if (hasBody)
            message.Content = new StreamedBody(request.Body);

        var client = new IPEndPoint(context.Connection.RemoteIpAddress ?? IPAddress.None, context.Connection.RemotePort);
        var trusted = IsTrusted(client, handedOff);
        foreach (var (name, values) in request.Headers)
        {
            var bytes = Encoding.ASCII.GetBytes(name);
            if (UpgradeHeads.IsHopByHop(bytes) || UpgradeHeads.IsStripped(bytes, trusted) || NamesIn(handedOff.Connection, name) || auth?.IsCopied(bytes) == true)
                continue;
            if (!message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values))
                message.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }

        var address4 = client.Address.IsIPv4MappedToIPv6 ? client.Address.MapToIPv4() : client.Address;
        var forwardedFor = trusted && request.Headers["X-Forwarded-For"] is { Count: > 0 } given ? string.Join(", ", given.ToArray()) + ", " : "";
        message.Headers.TryAddWithoutValidation("X-Forwarded-For", forwardedFor + address4);
        message.Headers.TryAddWithoutValidation("X-Forwarded-Proto", Trusted("X-Forwarded-Proto") ?? "http");
        message.Headers.TryAddWithoutValidation("X-Forwarded-Host", Trusted("X-Forwarded-Host") ?? request.Host.Value);
        if (request.Headers.TraceParent.Count == 0)
            message.Headers.TryAddWithoutValidation("traceparent", $"00-{RandomHex(16)}-{RandomHex(8)}-00");
        message.Headers.TryAddWithoutValidation("Holdfast-Connection-Id", RandomHex(16));
        return message;

        string? Trusted(string name) => trusted && request.Headers[name] is { Count: > 0 } value ? value[0] : null;
    }

    private static string RandomHex(int bytes) => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(bytes));

    private static bool NamesIn(string list, string name)
    {
        foreach (var range in list.AsSpan().Split(','))
        {
            if (list.AsSpan(range).Trim().Equals(name, StringComparison.OrdinalIgnoreCase))
                return true;
        }

        return false;
    }

    private static void CopyHeaders(HttpHeadersNonValidated from, IHeaderDictionary to, HttpHeaderValueCollection<string> perHop)
    {
        foreach (var (name, values) in from)
        {
            var bytes = Encoding.ASCII.GetBytes(name);
            if (UpgradeHeads.IsHopByHop(bytes) || UpgradeHeads.IsHoldfast(bytes) || perHop.Contains(name))
                continue;
            if (!HeadRules.IsToken(bytes) || !HeadRules.IsFieldValue(Encoding.Latin1.GetBytes(values.ToString())))
                throw new HttpRequestException(HttpRequestError.InvalidResponse, "a header is malformed");
            if (name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
                to.ContentLength = long.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                    ? length
                    : throw new HttpRequestException(HttpRequestError.InvalidResponse, "Content-Length is no number");
            else
                to[name] = new StringValues([.. values]);
        }
    }

    /// <summary>A request's body, passed on piece by piece as it comes, its head before it has begun.</summary>
    private sealed class StreamedBody(Stream body) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(CopySize);
            try
            {
                int read;
                do
                {
                    await stream.FlushAsync(cancellationToken).ConfigureAwait(false);
                    read = await body.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                    await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                }
                while (read > 0);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    private delegate bool IsStripped(ReadOnlySpan<byte> name);

    /// <summary>What an endpoint is sent, as far as a key may be read from it.</summary>
    private sealed class SentHeaders(IHeaderDictionary headers, IsStripped isStripped, IReadOnlyList<KeyValuePair<string, string>> added) : IHeaderLookup
    {
        private readonly HeaderLookup _given = new(headers);

        public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) => TryGet(name, 0, out value);

        public bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value)
        {
            foreach (var (addedName, addedValue) in added)
            {
                if (!Ascii.EqualsIgnoreCase(name, addedName) || index-- > 0)
                    continue;
                value = Encoding.Latin1.GetBytes(addedValue);
                return true;
            }

            value = default;
            return !isStripped(name) && _given.TryGet(name, index, out value);
        }
    }

    private sealed class HeaderLookup(IHeaderDictionary headers) : IHeaderLookup
    {
        public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value) => TryGet(name, 0, out value);

        public bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value)
        {
            var found = headers.TryGetValue(Encoding.ASCII.GetString(name), out var values) && values.Count > index;
            value = found ? Encoding.Latin1.GetBytes(values[index] ?? "") : default;
            return found;
        }
    }
}
