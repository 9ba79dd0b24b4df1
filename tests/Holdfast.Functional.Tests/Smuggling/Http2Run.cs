using System.Collections.Concurrent;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>Sends cases over HTTP/2, each followed by a canary on the next stream (or, where the gateway has closed, on another connection), and compares what the endpoint saw.</summary>
internal sealed class Http2Run(Placement placement, RecordingEndpoint endpoint)
{
    private const int Workers = 8;

    private readonly ConcurrentQueue<string> _failures = new();

    public async Task RunAsync(IReadOnlyList<Http2Case> cases)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)));
        for (var i = 0; i < cases.Count; i++)
            CompareSeen(cases[i], placement.IdOf(i));
        foreach (var fault in endpoint.Faults)
            _failures.Enqueue("the endpoint was sent " + fault);
        Assert.True(_failures.IsEmpty, $"{_failures.Count} failures:\n{string.Join('\n', _failures.Take(100))}");

        async Task WorkAsync()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < cases.Count;)
            {
                try
                {
                    await SendAsync(cases[i], placement.IdOf(i)).WaitAsync(RawPeer.Patience);
                }
                catch (Exception e) when (e is IOException or TimeoutException or System.Net.Sockets.SocketException)
                {
                    Fail(cases[i], e.Message);
                }
            }
        }
    }

    private async Task SendAsync(Http2Case @case, string id)
    {
        await using var client = await placement.ConnectAsync();
        var http2 = new Http2Client(client.Stream);
        await http2.StartAsync();
        await AskAsync(@case, id, http2, "first");
        var answer = await http2.AskAsync(Own(@case.Request, id));
        if (@case.Expected is { } step)
        {
            if (!answer.IsOk || answer.Body != RecordingEndpoint.EchoOf(step.Method, Own(step.Target, id), step.Body))
                Fail(@case, $"instead of {step} came {(answer.IsOk ? "" : "no ")}200 {Parts.Shown(answer.Body)}");
        }
        else if (answer.IsOk)
        {
            Fail(@case, "was answered 200 " + Parts.Shown(answer.Body));
        }

        if (answer.IsAlive)
        {
            await AskAsync(@case, id, http2, "canary");
            return;
        }

        await using var another = await placement.ConnectAsync();
        var after = new Http2Client(another.Stream);
        await after.StartAsync();
        await AskAsync(@case, id, after, "canary");
    }

    private async Task AskAsync(Http2Case @case, string id, Http2Client http2, string name)
    {
        var target = $"/{id}/{name}";
        var answer = await http2.AskAsync(new Http2Request([new(":method", "GET"), new(":scheme", "https"), new(":authority", "test.example"), new(":path", target)]));
        if (!answer.IsOk || answer.Body != RecordingEndpoint.EchoOf("GET", target, ""))
            Fail(@case, $"the {name} got {(answer.IsOk ? "" : "no ")}200 {Parts.Shown(answer.Body)}");
    }

    private void CompareSeen(Http2Case @case, string id)
    {
        var seen = endpoint.Of(id).Where(s => s.Request.Target != $"/{id}/first" && s.Request.Target != $"/{id}/canary").ToList();
        if (@case.Expected is { } step)
        {
            if (seen is not [{ IsWhole: true } only] || only.Request.Method != step.Method || only.Request.Target != Own(step.Target, id) || only.Request.Body != Own(step.Body, id))
                Fail(@case, $"{step} was seen as {string.Join("; ", seen.Select(Show))}");
        }
        else if (seen.Any(s => s.IsWhole && (@case.Name != "length 0" || s.Request.Body.Length > 0)) || seen.Count > (@case.Request.Data.Count > 0 || @case.Request.Fields.Any(f => f.Name == "content-length") ? 1 : 0))
        {
            Fail(@case, $"was seen as {string.Join("; ", seen.Select(Show))}");
        }
    }

    private static Http2Request Own(Http2Request request, string id) => request with
    {
        Fields = [.. request.Fields.Select(f => new HeaderField(Own(f.Name, id), Own(f.Value, id)))],
        Data = [.. request.Data.Select(d => Own(d, id)).SelectMany(d => request.Trickles ? d.Select(static c => c.ToString()) : [d])],
    };

    private static string Own(string text, string id) => text.Replace(Parts.Id, id, StringComparison.Ordinal);

    private static string Show(Sighting seen) => $"{(seen.IsWhole ? "" : "a part of ")}{seen.Request.Method} {Parts.Shown(seen.Request.Target)} {Parts.Shown(seen.Request.Body)}";

    private void Fail(Http2Case @case, string why) => _failures.Enqueue($"h2: {Parts.Shown(@case.Name)}: {why}");
}
