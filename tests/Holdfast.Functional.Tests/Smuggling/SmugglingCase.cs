using System.Text;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>What becomes of one request of a case.</summary>
internal enum Fate
{
    /// <summary>The endpoint sees it whole, the client gets the endpoint's answer, and the connection goes on.</summary>
    Passed,

    /// <summary>The same, and then the connection is closed: nothing after it is a request.</summary>
    PassedAndClosed,

    /// <summary>The gateway answers it with <see cref="Step.Status"/> by itself, and the connection goes on.</summary>
    Answered,

    /// <summary>The gateway answers it with <see cref="Step.Status"/> and closes; the endpoint sees nothing of it.</summary>
    Refused,

    /// <summary>The same, but the endpoint may have seen its head and a part of its body: never a whole request.</summary>
    RefusedInBody,

    /// <summary>It never ends: once the client has sent FIN the connection closes, perhaps with an error; the endpoint may have seen a part.</summary>
    Unfinished,

    /// <summary>The endpoint switches protocols; all that follows is its own and no request.</summary>
    Upgraded,

    /// <summary>The endpoint sees an upgrade and answers <see cref="Step.Status"/>; the connection is closed.</summary>
    UpgradeDenied,
}

/// <summary>What one request of a case is, and what becomes of it.</summary>
internal sealed record Step(Fate Fate, int Status, string Method = "", string Target = "", string Body = "")
{
    public bool IsLast => Fate is not (Fate.Passed or Fate.Answered);

    /// <param name="name">The last segment of the target, or a whole target.</param>
    public static Step Pass(string method, string name, string body = "") => new(Fate.Passed, 200, method, Parts.Target(name), body);

    public static Step PassAndClose(string method, string name, string body = "") => new(Fate.PassedAndClosed, 200, method, Parts.Target(name), body);

    public static Step Refuse(int status = 400) => new(Fate.Refused, status);

    public static Step Answer(int status) => new(Fate.Answered, status);

    public static Step RefuseInBody(string method = "POST", string name = "main") => new(Fate.RefusedInBody, 400, method, Parts.Target(name));

    public static Step Unfinished(string method = "POST", string name = "main") => new(Fate.Unfinished, 0, method, Parts.Target(name));

    /// <param name="sent">What goes through the tunnel.</param>
    public static Step Upgrade(string sent, string name = "main") => new(Fate.Upgraded, 101, "GET", Parts.Target(name), sent);

    public static Step Deny(int status, string name = "deny") => new(Fate.UpgradeDenied, status, "GET", Parts.Target(name));

    public override string ToString() => $"{Fate} {Status} {Method} {Target} {Parts.Shown(Body)}".TrimEnd();
}

/// <summary>Raw bytes for a connection, and what must become of them; the canary's bytes follow those of the case at once.</summary>
/// <param name="Text">Latin-1; <see cref="Parts.Id"/> stands for the id of the run.</param>
/// <param name="Steps">Of the case and the canary.</param>
internal sealed record SmugglingCase(string Family, string Name, string Text, IReadOnlyList<Step> Steps)
{
    public byte[] BytesFor(string id) => Parts.Bytes((Text + Parts.Canary).Replace(Parts.Id, id, StringComparison.Ordinal));

    public override string ToString() => $"{Family}: {Name}";
}

/// <summary>One family's cases as they are written down.</summary>
internal sealed class Family(string name)
{
    private readonly List<SmugglingCase> _cases = [];

    public IReadOnlyList<SmugglingCase> Cases => _cases;

    /// <summary>The steps of the case; where the last leaves the connection open, the canary is answered too.</summary>
    public void Add(string what, string text, params ReadOnlySpan<Step> steps)
    {
        if (steps.IsEmpty)
            throw new ArgumentException($"{name}: {what} has no expectation", nameof(steps));
        var all = steps.ToArray();
        if (!all[^1].IsLast)
            all = [.. all, Step.Pass("GET", "canary")];
        _cases.Add(new SmugglingCase(name, what, text, all));
    }

    /// <summary>The steps of the case and the canary together, where the canary is a part of a request.</summary>
    public void AddExactly(string what, string text, params ReadOnlySpan<Step> steps) => _cases.Add(new SmugglingCase(name, what, text, steps.ToArray()));
}

/// <summary>What cases are put together from.</summary>
internal static class Parts
{
    /// <summary>As long as every id that replaces it, so that lengths stay right.</summary>
    public const string Id = "IDIDIDI";

    public const string Host = "Host: test.example\r\n";

    public const string Get = $"GET /{Id}/main HTTP/1.1\r\n{Host}";

    public const string Post = $"POST /{Id}/main HTTP/1.1\r\n{Host}";

    public const string Chunked = "Transfer-Encoding: chunked\r\n";

    /// <summary>A request of the client's own.</summary>
    public const string Second = $"GET /{Id}/second HTTP/1.1\r\n{Host}\r\n";

    /// <summary>A request that is a body's bytes, or follows what is refused.</summary>
    public const string Smuggled = $"GET /{Id}/smuggled HTTP/1.1\r\n{Host}\r\n";

    public const string Canary = $"GET /{Id}/canary HTTP/1.1\r\n{Host}\r\n";

    /// <summary>A good WebSocket handshake.</summary>
    /// <param name="more">Whole lines.</param>
    public static string UpgradeOf(string name, string more = "") => $"GET /{Id}/{name} HTTP/1.1\r\n{Host}{Upgrades.Lines}{more}\r\n";

    public static string Target(string name) => name.Length > 0 && char.IsAsciiLetterOrDigit(name[0]) ? $"/{Id}/{name}" : name;

    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    /// <summary>On one line, and not for ever.</summary>
    public static string Shown(string text)
    {
        var shown = new StringBuilder();
        foreach (var c in text.Length > 700 ? text[..400] + "[...]" + text[^200..] : text)
            _ = c switch { '\r' => shown.Append("\\r"), '\n' => shown.Append("\\n"), '\\' => shown.Append("\\\\"), < ' ' or > '~' => shown.Append($"\\x{(int)c:x2}"), _ => shown.Append(c) };
        return shown.ToString();
    }
}
