using System.Security.Cryptography;
using System.Text;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Load;

/// <summary>The client's side of RFC 6455 section 4.1: one request for all connections but for its key, and a strict look at the answer.</summary>
internal sealed class ClientHandshake
{
    /// <summary>A head longer than this is refused.</summary>
    public const int MaxHead = 32 * 1024;

    private static readonly string[] OwnHeaders =
        ["Host", "Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key", "Sec-WebSocket-Extensions", "Origin"];

    private readonly byte[] _request;
    private readonly int _keyAt;
    private readonly byte[] _before;

    public ClientHandshake(Uri url, string? origin, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        var text = new StringBuilder();
        text.Append("GET ").Append(url.PathAndQuery).Append(" HTTP/1.1\r\nHost: ").Append(url.Authority);
        text.Append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
        if (origin is not null)
            text.Append("Origin: ").Append(origin).Append("\r\n");
        foreach (var (name, value) in headers)
            text.Append(name).Append(": ").Append(value).Append("\r\n");
        text.Append("Sec-WebSocket-Key: ");
        _keyAt = Encoding.UTF8.GetByteCount(text.ToString());
        text.Append('k', AcceptKey.KeyLength).Append("\r\n\r\n");
        _request = Encoding.UTF8.GetBytes(text.ToString());
        _before = Encoding.UTF8.GetBytes($"HEAD {url.PathAndQuery} HTTP/1.1\r\nHost: {url.Authority}\r\n\r\n");
    }

    /// <summary>For a connection that is kept alive: a request whose answer is a head alone.</summary>
    public ReadOnlySpan<byte> RequestBefore => _before;

    /// <summary>Whether a header of the user may be sent; the handshake's own may not be replaced.</summary>
    public static bool MayAdd(string name, string value) =>
        name.Length > 0
        && name.All(c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal))
        && !OwnHeaders.Contains(name, StringComparer.OrdinalIgnoreCase)
        && value.All(c => c is '\t' or (>= ' ' and not '\x7f'));

    /// <summary>The request with a fresh key, valid until the next call; the 24 key bytes are copied out for <see cref="Judge"/>.</summary>
    public ReadOnlySpan<byte> NewRequest(Span<byte> key)
    {
        Span<byte> random = stackalloc byte[AcceptKey.KeyBytes];
        RandomNumberGenerator.Fill(random);
        AcceptKey.NewKey(random, key);
        key.CopyTo(_request.AsSpan(_keyAt));
        return _request;
    }

    /// <summary>Null when this is the 101 that belongs to the key, else what it is, in a few words.</summary>
    /// <param name="subProtocol">The one that was offered; null: none.</param>
    public static string? Judge(ReadOnlySpan<byte> head, ReadOnlySpan<byte> key, string? subProtocol = null)
    {
        var fault = ResponseHead.TryParse(head, out var response);
        if (fault != ResponseFault.None)
            return "malformed answer";
        if (response.Status != 101)
            return "answered " + response.Status;
        Span<byte> expected = stackalloc byte[AcceptKey.Length];
        AcceptKey.Compute(key, expected);
        if (response.Count(ResponseHeader.SecWebSocketAccept) != 1 || !response.First(ResponseHeader.SecWebSocketAccept).SequenceEqual(expected))
            return "wrong Sec-WebSocket-Accept";
        if (!response.Lists(ResponseHeader.Upgrade, "websocket"u8) || !response.Lists(ResponseHeader.Connection, "upgrade"u8))
            return "101 without Upgrade: websocket";
        if (response.Count(ResponseHeader.SecWebSocketExtensions) != 0 || response.Count(ResponseHeader.SecWebSocketProtocol) != (subProtocol is null ? 0 : 1))
            return subProtocol is null ? "101 with an extension or sub-protocol that was not offered" : "101 with an extension, or without the sub-protocol";
        return subProtocol is not null && Encoding.ASCII.GetString(response.First(ResponseHeader.SecWebSocketProtocol)) != subProtocol
            ? "101 with another sub-protocol"
            : null;
    }
}
