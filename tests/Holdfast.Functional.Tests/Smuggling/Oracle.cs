using System.Text.RegularExpressions;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>Tells from raw bytes alone what must become of them, beside what the case itself says: the two must agree before anything is sent.</summary>
internal static partial class Oracle
{
    public static IReadOnlyList<Step> Judge(string text)
    {
        var steps = new List<Step>();
        while (text.Length > 0 && (steps.Count == 0 || !steps[^1].IsLast))
        {
            var read = StrictReader.Read(text);
            steps.Add(StepOf(read, read.Reading == Reading.Whole ? text[read.Consumed..] : ""));
            text = text[read.Consumed..];
        }

        return steps;
    }

    private static Step StepOf(StrictReader read, string rest)
    {
        // What is wrong with an upgrade is known before its body.
        if (read.Request is { } head && IsUpgrade(head))
            return UpgradeOf(head, rest);
        // Of CONNECT, only WebSockets over HTTP/2 are served.
        if (read.Request is { Method: "CONNECT" })
            return Step.Refuse(501);
        if (read.Reading == Reading.Refused)
            return read.Request is { } begun ? Step.RefuseInBody(begun.Method, begun.Target) : Step.Refuse(read.Status);
        if (read.Reading == Reading.NeedMore)
            return read.Request is { } unfinished ? Step.Unfinished(unfinished.Method, unfinished.Target) : Step.Unfinished("", "");
        var request = read.Request!;
        if (request.Target == "*")
            return Step.Answer(404);        // No route has it.
        return new Step(IsClosed(request) ? Fate.PassedAndClosed : Fate.Passed, 200, request.Method, request.Target, request.Body);
    }

    private static bool IsUpgrade(StrictRequest request) => request.Lists("Connection", "upgrade") && request.Lists("Upgrade", "websocket");

    private static Step UpgradeOf(StrictRequest head, string rest)
    {
        if (head.Method != "GET" || !head.IsHttp11 || head.Values("Transfer-Encoding").Any() || head.Values("Content-Length").Any(l => l.Trim('0').Length > 0))
            return Step.Refuse();
        if (head.Values("Sec-WebSocket-Version").ToList() is not ["13"])
            return Step.Refuse(426);
        if (head.Values("Sec-WebSocket-Key").ToList() is not [var key] || !WebSocketKey().IsMatch(key))
            return Step.Refuse();
        var name = head.Target[(head.Target.LastIndexOf('/') + 1)..];
        return RecordingEndpoint.DenialOf(name) is { } status ? new Step(Fate.UpgradeDenied, status, "GET", head.Target) : new Step(Fate.Upgraded, 101, "GET", head.Target, rest);
    }

    private static bool IsClosed(StrictRequest request) => request.Lists("Connection", "close") || (!request.IsHttp11 && !request.Lists("Connection", "keep-alive"));

    [GeneratedRegex(@"\A[A-Za-z0-9+/]{21}[AQgw]==\z")]
    private static partial Regex WebSocketKey();
}
