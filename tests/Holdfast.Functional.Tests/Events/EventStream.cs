using System.Net;
using System.Text.Json;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Events;

/// <summary>A reader of <c>/v1/events</c>.</summary>
internal sealed class EventStream : IDisposable
{
    private readonly HttpClient _http = new();
    private readonly HttpResponseMessage _response;
    private readonly StreamReader _lines;

    private EventStream(HttpClient http, HttpResponseMessage response, Stream body) => (_http, _response, _lines) = (http, response, new StreamReader(body));

    /// <summary>Comments met.</summary>
    public List<string> Comments { get; } = [];

    /// <summary>Follows what happens from its return on.</summary>
    public static async Task<EventStream> OpenAsync(EndPoint admin)
    {
        var http = new HttpClient();
        var response = await http.GetAsync(new Uri($"http://{admin}/v1/events"), HttpCompletionOption.ResponseHeadersRead).WaitAsync(RawPeer.Patience);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType?.ToString()));
        var stream = new EventStream(http, response, await response.Content.ReadAsStreamAsync());
        Assert.Equal(": holdfast", await stream.LineAsync());
        return stream;
    }

    /// <summary>The next event; null at the end.</summary>
    public async Task<(string Name, JsonElement Data)?> NextAsync()
    {
        string? name = null;
        while (await LineAsync() is { } line)
        {
            if (line.StartsWith(':'))
                Comments.Add(line);
            else if (line.StartsWith("event: ", StringComparison.Ordinal))
                name = line[7..];
            else if (line.Length > 0)
                return (name!, JsonDocument.Parse(line["data: ".Length..]).RootElement);
        }

        return null;
    }

    /// <summary>The next event of this name; others are passed over.</summary>
    public async Task<JsonElement> NextAsync(string name)
    {
        while (await NextAsync() is var (other, data))
        {
            if (other == name)
                return data;
        }

        throw new IOException("the events ended before " + name);
    }

    /// <summary>Null at the end.</summary>
    public async Task<string?> LineAsync() => await _lines.ReadLineAsync().WaitAsync(RawPeer.Patience);

    public void Dispose()
    {
        _response.Dispose();
        _lines.Dispose();
        _http.Dispose();
    }
}
