using System.Collections.Concurrent;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>Sends cases at one placement, many at once, each with its canary and with another client beside it, and compares what clients got and what the endpoint saw.</summary>
/// <param name="endpoint">Null: another one, that answers as it does.</param>
internal sealed class SmugglingRun(Placement placement, RecordingEndpoint? endpoint)
{
    private const int Workers = 16;

    /// <summary>Failures that are told.</summary>
    private const int Most = 200;

    private readonly ConcurrentQueue<(SmugglingCase Case, string Why)> _failures = new();

    public async Task RunAsync(IReadOnlyList<SmugglingCase> cases)
    {
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => Task.Run(WorkAsync)));
        for (var i = 0; endpoint is not null && i < cases.Count; i++)
            CompareSeen(cases[i], placement.IdOf(i), endpoint);
        var told = _failures.GroupBy(f => f.Case, f => f.Why)
            .Select(c => $"{c.Key}\n    {Parts.Shown(c.Key.Text)}\n    {string.Join("\n    ", c)}").Order(StringComparer.Ordinal)
            .Concat((endpoint?.Faults ?? []).Select(static f => "the endpoint was sent " + f)).ToList();
        Assert.True(told.Count == 0, $"{told.Count} of {cases.Count} failed:\n{string.Join('\n', told.Take(Most))}");

        async Task WorkAsync()
        {
            await using var other = await placement.ConnectAsync();
            for (int i; (i = Interlocked.Increment(ref next)) < cases.Count;)
            {
                try
                {
                    await SendAsync(cases[i], i, other).WaitAsync(RawPeer.Patience);
                }
                catch (Exception e) when (e is IOException or InvalidDataException or TimeoutException or System.Net.Sockets.SocketException)
                {
                    Fail(cases[i], e.Message);
                }
            }
        }
    }

    private async Task SendAsync(SmugglingCase @case, int index, SmugglingClient other)
    {
        var id = placement.IdOf(index);
        await using var client = await placement.ConnectAsync();
        if (placement.IsKeptAlive && await client.AskAsync(id, "first") != (200, RecordingEndpoint.EchoOf("GET", $"/{id}/first", "")))
        {
            Fail(@case, "the first request of the connection was not answered");
            return;
        }

        var segments = placement.Segments(@case.BytesFor(id), index);
        for (var i = 0; i < segments.Count; i++)
        {
            await client.SendAsync(segments[i]);
            if (i == segments.Count / 2)
                await AskOtherAsync(@case, id, other, "between");
        }

        await ReadAsync(@case, id, client);
        await AskOtherAsync(@case, id, other, "other");
    }

    private async Task ReadAsync(SmugglingCase @case, string id, SmugglingClient client)
    {
        foreach (var step in @case.Steps)
        {
            if (step.Fate == Fate.Unfinished)
            {
                await client.FinishAsync();
                if (await client.Answers.NextAsync(isHead: false) is { Status: < 400 } early)
                    Fail(@case, $"an unfinished request was answered {early.Status}");
                break;
            }

            var answer = await client.Answers.NextAsync(isHead: step.Method == "HEAD" && step.Fate is Fate.Passed or Fate.PassedAndClosed);
            // A loop's refusal has a body even for HEAD, the others' have none: the connection ends behind it in any case.
            var isWhole = answer?.IsWhole == true || (step.Fate == Fate.Refused && @case.Text.StartsWith("HEAD ", StringComparison.Ordinal));
            if (answer is null || answer.Status != step.Status || !isWhole)
            {
                Fail(@case, $"instead of {step} came {(answer is null ? client.Answers.IsReset ? "a reset" : "the end" : $"{answer.Status} {Parts.Shown(answer.Body)}")}");
                return;
            }

            // What the endpoint says of a request names it: another's answer cannot look like it.
            var own = step.Fate is Fate.Passed or Fate.PassedAndClosed or Fate.UpgradeDenied && step.Method != "HEAD"
                ? RecordingEndpoint.EchoOf(step.Method, Own(step.Target, id), step.Body)
                : null;
            if (own is not null && answer.Body != own)
                Fail(@case, $"the answer to {step} was {Parts.Shown(answer.Body)}");
            if (step.Fate is Fate.Refused or Fate.RefusedInBody or Fate.UpgradeDenied && !answer.Head.Contains("close", StringComparison.OrdinalIgnoreCase))
                Fail(@case, $"{step} does not say that the connection closes");
        }

        if (@case.Steps[^1].Fate is Fate.Passed or Fate.Upgraded)
            await client.FinishAsync();
        var rest = await client.Answers.ToEndAsync();
        if (rest.Length > 0 && @case.Steps[^1].Fate != Fate.Upgraded)
            Fail(@case, "bytes too many: " + Parts.Shown(rest));
    }

    private async Task AskOtherAsync(SmugglingCase @case, string id, SmugglingClient other, string name)
    {
        var (status, body) = await other.AskAsync(id, name);
        if (status != 200 || body != RecordingEndpoint.EchoOf("GET", $"/{id}/{name}", "") || other.Answers.Rest.Length > 0)
            Fail(@case, $"another client got {status} {Parts.Shown(body)} {Parts.Shown(other.Answers.Rest)}");
    }

    private void CompareSeen(SmugglingCase @case, string id, RecordingEndpoint endpoint)
    {
        var seen = endpoint.Of(id).Where(s => s.Request.Target != $"/{id}/first" || !placement.IsKeptAlive || @case.Steps.Any(e => e.Target.EndsWith("/first", StringComparison.Ordinal)))
            .Where(s => s.Request.Target != $"/{id}/other" && s.Request.Target != $"/{id}/between").ToList();
        if (placement.IsKeptAlive && @case.Steps.Any(e => e.Target.EndsWith("/first", StringComparison.Ordinal)) && seen.Count > 0)
            seen.RemoveAt(0);
        var at = 0;
        foreach (var step in @case.Steps)
        {
            switch (step.Fate)
            {
                case Fate.Passed or Fate.PassedAndClosed or Fate.Upgraded or Fate.UpgradeDenied:
                    if (at >= seen.Count || !IsSeen(step, id, seen[at]))
                        Fail(@case, $"{step} was seen as {(at < seen.Count ? Show(seen[at]) : "nothing")}");
                    at++;
                    break;
                case Fate.RefusedInBody or Fate.Unfinished when at < seen.Count && !seen[at].IsWhole && seen[at].Request.Target == Own(step.Target, id) && seen[at].Request.Method == step.Method:
                    at++;
                    break;
            }
        }

        foreach (var smuggled in seen.Skip(at))
            Fail(@case, "the endpoint also saw " + Show(smuggled));
    }

    private static bool IsSeen(Step step, string id, Sighting seen) =>
        seen.IsWhole && seen.Request.Method == step.Method && seen.Request.Target == Own(step.Target, id)
        && (step.Fate == Fate.Upgraded ? IsTunnelled(seen.Tunnel, Own(step.Body, id)) : seen.Request.Body == (step.Fate == Fate.UpgradeDenied ? "" : Own(step.Body, id)));

    /// <summary>Frames as they were sent; where those end, the gateway's own Close.</summary>
    private static bool IsTunnelled(string tunnel, string sent)
    {
        const int Close = 8;
        var own = tunnel.Length >= Close && tunnel[^Close..].StartsWith("\u0088\u0082", StringComparison.Ordinal) ? tunnel[..^Close] : tunnel;
        return sent.StartsWith(own, StringComparison.Ordinal) && !own.Contains("HTTP/1.1", StringComparison.Ordinal);
    }

    private static string Own(string target, string id) => target.Replace(Parts.Id, id, StringComparison.Ordinal);

    private static string Show(Sighting seen) => $"{(seen.IsWhole ? "" : "a part of ")}{seen.Request.Method} {seen.Request.Target} {Parts.Shown(seen.Request.Body)}{Parts.Shown(seen.Tunnel)}";

    private void Fail(SmugglingCase @case, string why) => _failures.Enqueue((@case, why));
}
