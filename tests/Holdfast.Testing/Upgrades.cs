using System.Security.Cryptography;
using System.Text;

namespace Holdfast.Testing;

/// <summary>Opening handshakes, written and read without the product's own code.</summary>
public static class Upgrades
{
    /// <summary>The key of RFC 6455's example, and the answer it wants.</summary>
    public const string Key = "dGhlIHNhbXBsZSBub25jZQ==", Accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    /// <summary>The lines that make a request an upgrade.</summary>
    public const string Lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + Key + "\r\n";

    /// <param name="more">Header lines without their CR LF.</param>
    public static string Request(string target = "/ws", params string[] more) =>
        $"GET {target} HTTP/1.1\r\nHost: test.example\r\n{Lines}{string.Concat(more.Select(l => l + "\r\n"))}\r\n";

    /// <summary>The 101 that a request head wants.</summary>
    public static string Switching(string requestHead, params string[] more) =>
        $"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {AcceptFor(Value(requestHead, "Sec-WebSocket-Key")!)}\r\n"
        + string.Concat(more.Select(l => l + "\r\n")) + "\r\n";

    public static string AcceptFor(string key)
    {
#pragma warning disable CA5350 // RFC 6455 4.2.2 wants SHA-1.
        return Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
    }

    /// <summary>The first value of a header, or null.</summary>
    public static string? Value(string head, string name) => Values(head, name) is [var first, ..] ? first : null;

    public static IReadOnlyList<string> Values(string head, string name) =>
    [
        .. head.Split("\r\n").Skip(1)
            .Where(l => l.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
            .Select(l => l[(name.Length + 1)..].Trim()),
    ];

    public static int Status(string head) => int.Parse(head.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>As a client: asks, and reads the answer's head.</summary>
    public static string Upgrade(this RawPeer client, string target = "/ws", params string[] more)
    {
        client.Send(Request(target, more));
        return client.ReceiveHead();
    }

    /// <summary>As an endpoint: reads a request and answers 101. The request's head.</summary>
    public static string AnswerUpgrade(this RawPeer endpoint, params string[] more)
    {
        var head = endpoint.ReceiveHead();
        endpoint.Send(Switching(head, more));
        return head;
    }
}
