using System.Globalization;
using System.Text;

namespace Holdfast.Gateway.Auth;

internal enum AuthVerdict
{
    Allowed,

    /// <summary>401 or 403.</summary>
    Refused,

    /// <summary>No answer in time, none at all, or another than those: 503.</summary>
    Failed,
}

/// <summary>What came of asking. Immutable.</summary>
internal sealed record AuthAnswer(AuthVerdict Verdict)
{
    /// <summary>When refused: 401 or 403.</summary>
    public int Status { get; private init; }

    /// <summary>
    /// When allowed: lines for the endpoint's request (<c>name: value CR LF</c> each), checked, at most <see cref="AuthClient.MaxCopied"/>. When refused: the whole answer for the
    /// client, head and body.
    /// </summary>
    public byte[] Bytes { get; private init; } = [];

    /// <summary>When allowed: what the endpoint is sent. When refused: what the client is, but for framing. Values are Latin-1; a name may come several times.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; private init; } = [];

    /// <summary>When refused: the client's.</summary>
    public ReadOnlyMemory<byte> Body { get; private init; }

    /// <summary>When it failed: why, for the client and the log, without secrets.</summary>
    public string Detail { get; private init; } = "";

    public static AuthAnswer Allow(IReadOnlyList<KeyValuePair<string, string>> copied) =>
        new(AuthVerdict.Allowed) { Headers = copied, Bytes = Encoding.Latin1.GetBytes(Lines(copied)) };

    public static AuthAnswer Refuse(int status, IReadOnlyList<KeyValuePair<string, string>> headers, ReadOnlySpan<byte> body)
    {
        var head = Encoding.Latin1.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status} {(status == 401 ? "Unauthorized" : "Forbidden")}\r\n{Lines(headers)}Content-Length: {body.Length}\r\nConnection: close\r\n\r\n"));
        byte[] bytes = [.. head, .. body];
        return new(AuthVerdict.Refused) { Status = status, Headers = headers, Bytes = bytes, Body = bytes.AsMemory(head.Length) };
    }

    public static AuthAnswer Fail(string detail) => new(AuthVerdict.Failed) { Detail = detail };

    private static string Lines(IReadOnlyList<KeyValuePair<string, string>> headers) => string.Concat(headers.Select(static h => $"{h.Key}: {h.Value}\r\n"));
}
