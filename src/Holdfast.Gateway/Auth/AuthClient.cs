using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Tls;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Auth;

/// <summary>Asks one service over its pooled connections, and judges what it answers. Thread-safe.</summary>
/// <param name="copied">The names of <c>copyHeaders</c> that may be copied.</param>
internal sealed class AuthClient(AuthOptions options, IReadOnlyList<string> copied) : IDisposable
{
    /// <summary>Of an answer: KiB of its head, and bytes of its body.</summary>
    public const int MaxHead = 32, MaxBody = 64 * 1024;

    /// <summary>Bytes of the lines copied from one answer.</summary>
    public const int MaxCopied = 8 * 1024;

    /// <summary>
    /// What the client gets of a refusal's head: how to authenticate, what the body is, and what lets a page of another origin read it. nginx's auth_request relays the first alone,
    /// without a body; Traefik and Caddy relay all, and so let the service speak for the application.
    /// </summary>
    private static readonly string[] Relayed =
    [
        "WWW-Authenticate", "Content-Type", "Content-Encoding", "Content-Language", "Set-Cookie", "Cache-Control", "Vary",
        "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
    ];

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseProxy = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,
        ConnectTimeout = options.Timeout,
        MaxConnectionsPerServer = options.MaxInFlight,
        MaxResponseHeadersLength = MaxHead,
        // What is left of an answer is not worth reading: its connection goes.
        MaxResponseDrainSize = 0,
        RequestHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        ResponseHeaderEncodingSelector = static (_, _) => Encoding.Latin1,
        // Before the service's own: Node and uvicorn close after 5 s.
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(4),
        // So that a name's new addresses are found.
        PooledConnectionLifetime = TimeSpan.FromMinutes(2),
        // Each handshake works on a copy. No other host is asked for a link of the chain: that would block a thread for as long as it pleases.
        SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = Authorities.PolicyForServers(null) },
    });

    /// <summary>Throws what goes wrong: <see cref="Describe(Exception)"/> knows it.</summary>
    /// <returns>And how long it may be kept; zero: not at all.</returns>
    public async Task<(AuthAnswer Answer, TimeSpan Keep)> AskAsync(AuthQuestion question, CancellationToken cancel)
    {
        using var answer = await SendAsync(question, cancel).ConfigureAwait(false);
        var status = (int)answer.StatusCode;
        if (status < 200)
            return (NotUnderstood(status), default);       // A 101, whose body would be another protocol.
        if (answer.Headers.TransferEncodingChunked == true && answer.Content.Headers.NonValidated.Contains("Content-Length"))
            throw new HttpRequestException(HttpRequestError.InvalidResponse);
        // Read whatever the status: the connection serves the next question, and an answer that breaks off is none.
        var buffer = ArrayPool<byte>.Shared.Rent(MaxBody + 1);
        try
        {
            var length = await ReadBodyAsync(answer.Content, buffer.AsMemory(0, MaxBody + 1), cancel).ConfigureAwait(false);
            return status switch
            {
                _ when length > MaxBody => (AuthAnswer.Fail("The body of the auth service's answer is over 64 KiB."), default),
                >= 200 and < 300 => Allow(answer),
                401 or 403 => (Refuse(answer, status, buffer.AsSpan(0, length)), default),
                _ => (NotUnderstood(status), default),
            };
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Why there is no answer, without what was sent or where. Null: of nothing that a service does.</summary>
    public static string? Describe(Exception exception) => exception switch
    {
        OperationCanceledException => "The auth service did not answer in time.",
        HttpRequestException e => Describe(e.HttpRequestError),
        HttpIOException e => Describe(e.HttpRequestError),
        IOException => Describe(HttpRequestError.ResponseEnded),
        _ => null,
    };

    public void Dispose() => _http.Dispose();

    private static string Describe(HttpRequestError error) => error switch
    {
        HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError => "The auth service cannot be reached.",
        HttpRequestError.SecureConnectionError => "The auth service's TLS handshake failed.",
        HttpRequestError.ConfigurationLimitExceeded => "The head of the auth service's answer is over 32 KiB.",
        HttpRequestError.InvalidResponse => "The auth service answered no valid HTTP.",
        _ => "The auth service broke its connection off.",
    };

    private static AuthAnswer NotUnderstood(int status) =>
        AuthAnswer.Fail(string.Create(CultureInfo.InvariantCulture, $"The auth service answered {status}, which is neither 2xx nor 401 nor 403."));

    private static async Task<int> ReadBodyAsync(HttpContent content, Memory<byte> buffer, CancellationToken cancel)
    {
        var length = 0;
        var body = await content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            while (length < buffer.Length)
            {
                var read = await body.ReadAsync(buffer[length..], cancel).ConfigureAwait(false);
                if (read == 0)
                    break;
                length += read;
            }
        }

        return length;
    }

    private async Task<HttpResponseMessage> SendAsync(AuthQuestion question, CancellationToken cancel)
    {
        for (var isFirst = true; ; isFirst = false)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, options.Url) { Version = HttpVersion.Version11 };
            question.WriteTo(request);
            try
            {
                return await _http.SendAsync(request, cancel).ConfigureAwait(false);
            }
            catch (HttpRequestException e) when (isFirst && e.InnerException?.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.Shutdown })
            {
                // A kept connection that the service closed as the question went out. (The handler itself tries again only where it sees a FIN.)
            }
        }
    }

    private (AuthAnswer Answer, TimeSpan Keep) Allow(HttpResponseMessage answer)
    {
        var lines = new List<KeyValuePair<string, string>>();
        var bytes = 0;
        foreach (var name in copied)
        {
            var values = ValuesOf(answer, name);
            if (values.Count == 0)
                continue;
            var value = string.Join(", ", values);
            bytes += name.Length + value.Length + 4;
            if (bytes > MaxCopied)
                return (AuthAnswer.Fail("The headers to copy from the auth service's answer are over 8 KiB."), default);
            lines.Add(new(name, value));
        }

        return (AuthAnswer.Allow(lines), AuthFreshness.Of(answer.Headers));
    }

    private static AuthAnswer Refuse(HttpResponseMessage answer, int status, ReadOnlySpan<byte> body)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var name in Relayed)
        {
            foreach (var value in ValuesOf(answer, name))
                headers.Add(new(name, value));
        }

        return AuthAnswer.Refuse(status, headers, body);
    }

    private static List<string> ValuesOf(HttpResponseMessage answer, string name)
    {
        if (!answer.Headers.NonValidated.TryGetValues(name, out var values) && !answer.Content.Headers.NonValidated.TryGetValues(name, out values))
            return [];
        List<string> all = [.. values];
        foreach (var value in all)
        {
            if (!HeadRules.IsFieldValue(Encoding.Latin1.GetBytes(value)))
                throw new HttpRequestException(HttpRequestError.InvalidResponse);
        }

        return all;
    }
}
