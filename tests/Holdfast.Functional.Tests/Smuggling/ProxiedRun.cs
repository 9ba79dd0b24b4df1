using System.Collections.Concurrent;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>
/// Sends cases to a proxy before the gateway. What a proxy makes of malformed bytes is its own affair; that the endpoint sees each request that it forwards as that request, none
/// twice and no other, and that no client gets another's answer, is the gateway's.
/// </summary>
internal sealed class ProxiedRun(Placement placement, RecordingEndpoint endpoint)
{
    /// <summary>Many: where a proxy waits for more, its own time-out ends the connection.</summary>
    private const int Workers = 96;

    private readonly ConcurrentQueue<string> _failures = new();

    public async Task RunAsync(IReadOnlyList<SmugglingCase> cases)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)));
        var forwarded = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < cases.Count; i++)
        {
            foreach (var seen in endpoint.Of(placement.IdOf(i)))
                Compare(cases[i], seen, forwarded);
        }

        Assert.True(forwarded.Count > 2 * cases.Count, $"the proxy forwarded no more than {forwarded.Count} requests");
        var told = _failures.Concat(endpoint.Faults.Select(static f => "the endpoint was sent " + f)).ToList();
        Assert.True(told.Count == 0, $"{told.Count} failures:\n{string.Join('\n', told.Take(100))}");

        async Task WorkAsync()
        {
            for (int i; (i = Interlocked.Increment(ref next)) < cases.Count;)
            {
                try
                {
                    await SendAsync(cases[i], placement.IdOf(i)).WaitAsync(RawPeer.Patience);
                }
                catch (Exception e) when (e is IOException or InvalidDataException or TimeoutException or System.Net.Sockets.SocketException)
                {
                    Fail(cases[i], e.Message);
                }
            }
        }
    }

    private async Task SendAsync(SmugglingCase @case, string id)
    {
        await using var client = await placement.ConnectAsync();
        await client.SendAsync(@case.BytesFor(id));
        await using (var other = await placement.ConnectAsync())
            await AskAsync(@case, id, other, "between");

        // Until the canary is answered, or the proxy ends the connection: it waits no longer than two seconds. HEAD is told by its own answer: it has no body.
        var text = "";
        while (!text.Contains($"GET /{id}/canary 0\n", StringComparison.Ordinal) && await client.Answers.PieceAsync() is { } piece)
            text += piece;
        foreach (var line in text.Split('\n').Where(static l => l.Contains("/k", StringComparison.Ordinal) && RecordingEndpoint.IsEcho(l)))
        {
            if (!line.Contains($"/{id}/", StringComparison.Ordinal))
                Fail(@case, "got another's answer: " + Parts.Shown(line));
        }

        await using var after = await placement.ConnectAsync();
        await AskAsync(@case, id, after, "other");
    }

    private async Task AskAsync(SmugglingCase @case, string id, SmugglingClient other, string name)
    {
        var (status, body) = await other.AskAsync(id, name);
        if (status != 200 || body != RecordingEndpoint.EchoOf("GET", $"/{id}/{name}", ""))
            Fail(@case, $"another client got {status} {Parts.Shown(body)}");
    }

    private void Compare(SmugglingCase @case, Sighting seen, HashSet<string> forwarded)
    {
        var request = seen.Request;
        var marks = request.Values(SharingFront.Header).ToList();
        if (marks is not [var mark] || mark.Split(' ', 3) is not [var number, var method, var target])
            Fail(@case, $"the proxy knows nothing of {request.Method} {request.Target}: {string.Join(" | ", marks)}");
        else if (method != request.Method || (target.StartsWith('/') ? target : "/" + target) != request.Target)
            Fail(@case, $"the proxy's {method} {target} was seen as {request.Method} {request.Target}");
        else if (!forwarded.Add(number))
            Fail(@case, $"{method} {target} was seen twice");
    }

    private void Fail(SmugglingCase @case, string why) => _failures.Enqueue($"{@case}\n    {Parts.Shown(@case.Text)}\n    {why}");
}
