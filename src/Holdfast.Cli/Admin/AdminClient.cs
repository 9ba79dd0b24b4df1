using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Holdfast.Cli.Admin;

/// <summary>A request to the admin API failed; the message is for the user.</summary>
/// <param name="status">What the gateway answered; null: nothing, or nothing that a gateway would.</param>
internal sealed class AdminException(HttpStatusCode? status, string message) : Exception(message)
{
    public HttpStatusCode? Status { get; } = status;
}

/// <summary>Speaks to the admin API of one gateway. Any thread.</summary>
/// <param name="http">Bounds the time and the size of an answer.</param>
/// <param name="address">Ends with a slash.</param>
/// <param name="token">For what needs one; null: none is known.</param>
internal sealed class AdminClient(HttpClient http, Uri address, string? token = null)
{
    /// <summary>Far above the answer of a gateway with 1,000 endpoints.</summary>
    private const int MaxAnswerBytes = 16 << 20;

    public Uri Address { get; } = address;

    /// <summary>To the given address itself, whatever proxies the environment names: it is on this machine or in this cluster.</summary>
    public static HttpClient NewHttp(TimeSpan timeout) => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
    {
        Timeout = timeout,
        MaxResponseContentBufferSize = MaxAnswerBytes,
    };

    /// <summary>Where an endpoint's drain begins (POST) and is cancelled (DELETE).</summary>
    public static string DrainPath(string backend, string endpoint) => $"v1/backends/{Uri.EscapeDataString(backend)}/endpoints/{Uri.EscapeDataString(endpoint)}/drain";

    /// <exception cref="AdminException">No such answer.</exception>
    public async Task<T> GetAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancel) where T : class =>
        Read(await SendAsync(HttpMethod.Get, path, cancel), type);

    /// <summary>The answer's bytes as they came; a 2xx only.</summary>
    /// <exception cref="AdminException">No such answer.</exception>
    public async Task<byte[]> SendAsync(HttpMethod method, string path, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(method, new Uri(Address, path));
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        try
        {
            using var response = await http.SendAsync(request, cancel);
            var body = await response.Content.ReadAsByteArrayAsync(cancel);
            return response.IsSuccessStatusCode ? body : throw Refused(response.StatusCode, body);
        }
        catch (HttpRequestException e)
        {
            throw new AdminException(null, $"{Address} cannot be reached: {e.InnerException?.Message ?? e.Message}");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new AdminException(null, $"{Address} did not answer in {http.Timeout.TotalSeconds:0.#} s");
        }
    }

    /// <exception cref="AdminException">Not what a gateway answers.</exception>
    public T Read<T>(byte[] body, JsonTypeInfo<T> type) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw new AdminException(null, $"{Address} does not answer as a gateway's admin API does; is the address right?");
        }
    }

    private AdminException Refused(HttpStatusCode status, byte[] body)
    {
        if (status == HttpStatusCode.Unauthorized)
        {
            return new AdminException(status, token is null
                ? $"{Address} needs the admin token: give its file with --token-file FILE"
                : $"{Address} does not accept the token of --token-file");
        }

        var said = "";
        try
        {
            said = JsonSerializer.Deserialize(body, AdminJson.Default.ErrorAnswer)?.Error is { } error ? ": " + error : "";
        }
        catch (JsonException)
        {
            // Whoever answers is no gateway; its status must do.
        }

        return new AdminException(status, $"{Address} answered {(int)status}{said}");
    }
}
