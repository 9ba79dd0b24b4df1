using System.Globalization;
using Holdfast.Testing;
using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Upgrades: refused here and by the endpoint, with a body, with a pipelined request behind them, to other protocols.</summary>
internal static class UpgradeFamily
{
    public static Family Create()
    {
        var family = new Family("upgrades");
        foreach (var (name, rest) in Behind())
        {
            // Once the endpoint has switched, a request is bytes like any others.
            family.Add("accepted, " + name, Parts.UpgradeOf("main") + rest, Upgrade(rest + Parts.Canary));
            foreach (var status in (int[])[403, 401, 404, 426, 302, 500])
                family.Add(string.Create(CultureInfo.InvariantCulture, $"denied with {status}, {name}"), Parts.UpgradeOf(string.Create(CultureInfo.InvariantCulture, $"deny{status}")) + rest, Deny(status, string.Create(CultureInfo.InvariantCulture, $"deny{status}")));
            AddRefused(family, name, rest);
            AddOthers(family, name, rest);
        }

        var length = string.Create(CultureInfo.InvariantCulture, $"Content-Length: {Parts.Smuggled.Length}\r\n");
        family.Add("with a body", Parts.UpgradeOf("main", length) + Parts.Smuggled, Refuse());
        family.Add("with a body, denied", Parts.UpgradeOf("deny", length) + Parts.Smuggled, Refuse());
        family.Add("with chunks", $"{Parts.UpgradeOf("main", Parts.Chunked)}0\r\n\r\n{Parts.Smuggled}", Refuse());
        family.Add("with a chunked request", $"{Parts.UpgradeOf("main", Parts.Chunked)}{Parts.Smuggled.Length:x}\r\n{Parts.Smuggled}\r\n0\r\n\r\n", Refuse());
        family.Add("with both lengths", $"{Parts.UpgradeOf("main", length + Parts.Chunked)}0\r\n\r\n{Parts.Smuggled}", Refuse());
        family.Add("with two lengths", Parts.UpgradeOf("main", "Content-Length: 0\r\n" + length) + Parts.Smuggled, Refuse());
        family.Add("with a body of 0", Parts.UpgradeOf("main", "Content-Length: 0\r\n"), Upgrade(Parts.Canary));
        family.Add("with a body of 000", Parts.UpgradeOf("main", "Content-Length: 000\r\n"), Upgrade(Parts.Canary));
        family.Add("with a body of +0", Parts.UpgradeOf("main", "Content-Length: +0\r\n") + Parts.Smuggled, Refuse());
        family.Add("to WebSocket and h2c", Parts.UpgradeOf("main").Replace("Upgrade: websocket", "Upgrade: websocket, h2c", StringComparison.Ordinal), Upgrade(Parts.Canary));
        family.Add("to h2c and WebSocket", Parts.UpgradeOf("main").Replace("Upgrade: websocket", "Upgrade: h2c, WebSocket", StringComparison.Ordinal), Upgrade(Parts.Canary));
        family.Add("over two lines", Parts.UpgradeOf("main").Replace("Upgrade: websocket\r\n", "Upgrade: x\r\nUpgrade: websocket\r\n", StringComparison.Ordinal), Upgrade(Parts.Canary));
        family.Add("after a request", Parts.Get + "\r\n" + Parts.UpgradeOf("second"), Pass("GET", "main"), Upgrade(Parts.Canary, "second"));
        family.Add("after a request with a body", $"{Parts.Post}Content-Length: 5\r\n\r\nhello{Parts.UpgradeOf("second")}", Pass("POST", "main", "hello"), Upgrade(Parts.Canary, "second"));
        family.Add("after chunks", $"{Parts.Post}{Parts.Chunked}\r\n5\r\nhello\r\n0\r\n\r\n{Parts.UpgradeOf("second")}", Pass("POST", "main", "hello"), Upgrade(Parts.Canary, "second"));
        family.Add("after a request, denied", $"{Parts.Get}\r\n{Parts.UpgradeOf("deny")}{Parts.Smuggled}", Pass("GET", "main"), Deny(403));
        family.Add("after a request, refused", $"{Parts.Get}\r\n{Parts.UpgradeOf("second", length)}{Parts.Smuggled}", Pass("GET", "main"), Refuse());
        family.Add("after a request that closes", $"{Parts.Get}Connection: close\r\n\r\n{Parts.UpgradeOf("smuggled")}", PassAndClose("GET", "main"));
        family.Add("in a body", $"{Parts.Post}Content-Length: {Parts.UpgradeOf("smuggled").Length}\r\n\r\n{Parts.UpgradeOf("smuggled")}", Pass("POST", "main", Parts.UpgradeOf("smuggled")));
        family.Add("two", Parts.UpgradeOf("main") + Parts.UpgradeOf("smuggled"), Upgrade(Parts.UpgradeOf("smuggled") + Parts.Canary));
        return family;
    }

    /// <summary>What a client may send behind an upgrade's head.</summary>
    private static IEnumerable<(string Name, string After)> Behind() =>
    [
        ("nothing behind it", ""), ("a request behind it", Parts.Smuggled), ("two requests behind it", Parts.Smuggled + Parts.Smuggled), ("half a request behind it", Parts.Smuggled[..^2]),
        ("chunks and a request behind it", "0\r\n\r\n" + Parts.Smuggled), ("a frame and a request behind it", "\u0081\u0080\u0001\u0002\u0003\u0004" + Parts.Smuggled), ("a POST behind it", $"{Parts.Post}Content-Length: 5\r\n\r\nhello"),
        ("an upgrade behind it", Parts.UpgradeOf("smuggled")),
    ];

    private static void AddRefused(Family family, string name, string rest)
    {
        var good = Parts.UpgradeOf("main");
        string But(string part, string by) => good.Replace(part, by, StringComparison.Ordinal) + rest;
        family.Add("by POST, " + name, But("GET /", "POST /"), Refuse());
        family.Add("by HEAD, " + name, But("GET /", "HEAD /"), Refuse());
        family.Add("by get, " + name, But("GET /", "get /"), Refuse());
        family.Add("in HTTP/1.0, " + name, But("HTTP/1.1", "HTTP/1.0"), Refuse());
        family.Add("of version 8, " + name, But("Version: 13", "Version: 8"), Refuse(426));
        family.Add("of version 777, " + name, But("Version: 13", "Version: 777"), Refuse(426));
        family.Add("of version 13, 8, " + name, But("Version: 13", "Version: 13, 8"), Refuse(426));
        family.Add("without a version, " + name, But("Sec-WebSocket-Version: 13\r\n", ""), Refuse(426));
        family.Add("of two versions, " + name, But("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n"), Refuse(426));
        family.Add("without a key, " + name, But($"Sec-WebSocket-Key: {Upgrades.Key}\r\n", ""), Refuse());
        family.Add("with two keys, " + name, But($"Sec-WebSocket-Key: {Upgrades.Key}\r\n", $"Sec-WebSocket-Key: {Upgrades.Key}\r\nSec-WebSocket-Key: {Upgrades.Key}\r\n"), Refuse());
        family.Add("with a short key, " + name, But(Upgrades.Key, "AAAA"), Refuse());
        family.Add("without Host, " + name, But(Parts.Host, ""), Refuse());
    }

    /// <summary>No upgrades to WebSocket: plain requests, whose connection stays what it is.</summary>
    private static void AddOthers(Family family, string name, string rest)
    {
        Step[] Then(Step first) => rest == "" || rest == Parts.Smuggled || rest == Parts.Smuggled + Parts.Smuggled || rest.StartsWith("POST", StringComparison.Ordinal)
            ? [first, .. rest == "" ? [] : rest.StartsWith("POST", StringComparison.Ordinal) ? [Pass("POST", "main", "hello")] : Enumerable.Repeat(Pass("GET", "smuggled"), rest.Length / Parts.Smuggled.Length)]
            : rest.StartsWith("GET", StringComparison.Ordinal) && rest.Contains("websocket", StringComparison.Ordinal) ? [first, Upgrade(Parts.Canary, "smuggled")]
            // Half a request takes the canary's first line for a header: there is a space in its name.
            : [first, Refuse()];
        foreach (var upgrade in (string[])["h2c", "h2", "HTTP/2.0", "TLS/1.0", "websocke", "websockets", "\"websocket\"", "websocket/13", "x", ""])
        {
            family.Add($"to {upgrade}, {name}", $"{Parts.Get}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n{rest}", Then(Pass("GET", "main")));
            family.Add($"to {upgrade}, with a body, {name}", $"{Parts.Post}Connection: Upgrade\r\nUpgrade: {upgrade}\r\nContent-Length: 5\r\n\r\nhello{rest}", Then(Pass("POST", "main", "hello")));
        }

        family.Add("to h2c, in chunks, " + name, $"{Parts.Post}Connection: Upgrade\r\nUpgrade: h2c\r\n{Parts.Chunked}\r\n5\r\nhello\r\n0\r\n\r\n{rest}", Then(Pass("POST", "main", "hello")));
        family.Add("not in Connection, " + name, Parts.UpgradeOf("main").Replace("Connection: Upgrade\r\n", "", StringComparison.Ordinal) + rest, Then(Pass("GET", "main")));
        family.Add("to nothing, " + name, Parts.UpgradeOf("main").Replace("Upgrade: websocket\r\n", "", StringComparison.Ordinal) + rest, Then(Pass("GET", "main")));
    }
}
