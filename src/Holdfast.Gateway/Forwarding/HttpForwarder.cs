using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Listeners;
using Holdfast.Gateway.LoadBalancing;
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

    /// <summary>
    /// How long a client may take over one piece of an answer (that of 137 bytes per second; Kestrel's own measure, 240 bytes per second, lets a client that has
    /// taken some MB rest for hours).
    /// </summary>
    public static readonly TimeSpan LongestPiece = TimeSpan.FromMinutes(2);

    private readonly GatewayRuntime _runtime;
    private readonly TimeSpan _longestPiece;
    private readonly Lazy<HttpMessageInvoker> _client = new(CreateClient);

    public HttpForwarder(GatewayRuntime runtime, TimeSpan longestPiece) => (_runtime, _longestPiece) = (runtime, longestPiece);

    public async Task ForwardAsync(PlainRequest request)
    {
        var context = request.Context;
        if (!_runtime.Routes.TryMatch(request.View, out var route))
        {
            await request.RefuseAsync(404, "No route matches this host and path.").ConfigureAwait(false);
            return;
        }

#pragma warning disable RS0030 // Thread-safe, and fairness is all that hangs on it.
        var random = Random.Shared;
#pragma warning restore RS0030
        if (route.Choose(random) is not { } backend)
        {
            await request.RefuseAsync(500, "Every backend of the route has weight 0.").ConfigureAwait(false);
            return;
        }

        if (backend.Auth is { } auth && !await RequestAuth.IsAdmittedAsync(auth, request).ConfigureAwait(false))
            return;

        var affinity = backend.Affinity;
        var key = affinity.KeyOf(request.View, request.Client, _runtime.Time.GetUtcNow().ToUnixTimeSeconds());
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
                    await request.RefuseAsync(tried.Count == 0 ? 503 : 502, detail).ConfigureAwait(false);
                    return;
                }

                try
                {
                    using var message = CreateRequest(request, resolved.Address, hasBody);
                    using var answer = await _client.Value.SendAsync(message, timeout.Token).ConfigureAwait(false);
                    backend.Ejections.Answered(endpoint, trial, _runtime.Clock.Milliseconds);
                    var cookie = affinity.SetsCookie(in key, endpoint) ? CookieOf(affinity, endpoint, request.IsSecure) : null;
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
                await request.RefuseAsync(504, "The endpoint did not answer in time.").ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            context.Abort();    // The client takes its answer too slowly.
        }
        catch (Exception e) when ((e as BadHttpRequestException ?? e.InnerException as BadHttpRequestException) is { } bad)
        {
            var detail = bad.StatusCode == StatusCodes.Status408RequestTimeout ? "The request's body comes too slowly." : "The request's body is malformed.";
            await request.RefuseAsync(bad.StatusCode, detail).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            await request.RefuseAsync(502, "The endpoint broke the connection or answered no valid HTTP.").ConfigureAwait(false);
        }
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

    private string CookieOf(AffinityPlan affinity, EndpointState endpoint, bool isSecure)
    {
        var output = new ByteBuffer();
        affinity.WriteCookie(output, endpoint, isSecure, _runtime.Time.GetUtcNow().ToUnixTimeSeconds());
        return Encoding.Latin1.GetString(output.Bytes);
    }

    private async Task AnswerAsync(HttpContext context, HttpResponseMessage answer, string? cookie, CancellationToken cancel)
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
                    break;
                response.BodyWriter.Advance(read);
                var flush = response.BodyWriter.FlushAsync(cancel);
                var flushed = flush.IsCompletedSuccessfully ? flush.Result : await flush.AsTask().WaitAsync(_longestPiece, _runtime.Time, cancel).ConfigureAwait(false);
                if (flushed.IsCompleted)
                    return;
            }
        }

        // The last chunk too: once this method has returned nobody measures any more.
        await response.CompleteAsync().WaitAsync(_longestPiece, _runtime.Time, cancel).ConfigureAwait(false);
    }

    private static HttpRequestMessage CreateRequest(PlainRequest plain, NativeAddress address, bool hasBody)
    {
        var request = plain.Context.Request;
        // The path goes on as it came: no decoding, no dot segments resolved, or the gateway and the endpoint could see different requests.
        var uri = new Uri("http://" + address.ToEndPoint() + Encoding.Latin1.GetString(plain.Head.Target), new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var message = new HttpRequestMessage(new HttpMethod(request.Method), uri) { Version = HttpVersion.Version11 };
        if (hasBody)
            message.Content = new StreamedBody(request.Body);

        var head = plain.Head;
        for (var i = 0; i < head.HeaderCount; i++)
        {
            var name = head.Name(i);
            if (UpgradeHeads.IsHopByHop(name) || UpgradeHeads.IsStripped(name, plain.IsTrusted) || head.Lists("connection"u8, name) || plain.Auth?.IsCopied(name) == true)
                continue;
            Add(Encoding.ASCII.GetString(name), Encoding.Latin1.GetString(head.Value(i)));
        }

        foreach (var (name, value) in plain.Copied)
            Add(name, value);
        void Add(string name, string value)
        {
            if (!message.Headers.TryAddWithoutValidation(name, value))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        var forwardedFor = plain.IsTrusted && request.Headers["X-Forwarded-For"] is { Count: > 0 } given ? string.Join(", ", given.ToArray()) + ", " : "";
        var host = plain.IsTrusted && request.Headers["X-Forwarded-Host"] is { Count: > 0 } hosts ? hosts[0] : request.Host.Value;
        message.Headers.TryAddWithoutValidation("X-Forwarded-For", forwardedFor + plain.Connection.Peer.ToEndPoint().Address);
        message.Headers.TryAddWithoutValidation("X-Forwarded-Proto", plain.IsSecure ? "https" : "http");
        message.Headers.TryAddWithoutValidation("X-Forwarded-Host", host);
        if (request.Headers.TraceParent.Count == 0)
            message.Headers.TryAddWithoutValidation("traceparent", $"00-{RandomHex(16)}-{RandomHex(8)}-00");
        message.Headers.TryAddWithoutValidation("Holdfast-Connection-Id", RandomHex(16));
        return message;
    }

    private static string RandomHex(int bytes) => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(bytes));

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
}
