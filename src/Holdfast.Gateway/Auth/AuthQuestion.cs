using System.Security.Cryptography;
using System.Text;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Auth;

/// <summary>What the service is told of a request. Owns its bytes: the head may be gone when it is asked. Immutable.</summary>
internal sealed class AuthQuestion
{
    private readonly byte[] _lines;

    private AuthQuestion(byte[] lines) => _lines = lines;

    /// <summary>
    /// Takes from a head what the gate forwards, under the names that forward-auth services know
    /// (<see href="https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/">Traefik</see>,
    /// <see href="https://caddyserver.com/docs/caddyfile/directives/forward_auth">Caddy</see>). On a loop's thread.
    /// </summary>
    /// <param name="gate">Who is asked.</param>
    /// <param name="request">The client's head, checked, or the endpoint's as it is before an answer is put in.</param>
    /// <param name="client">As trusted proxies tell it.</param>
    /// <param name="scheme">http or https, as the client used it.</param>
    /// <param name="host">The host that the client asked for, if a trusted proxy tells another than the head.</param>
    public static AuthQuestion From(AuthGate gate, in RequestView request, in NativeAddress client, string scheme, ReadOnlySpan<byte> host = default)
    {
        var lines = new ByteBuffer();
        AppendLine(lines, "X-Forwarded-Method"u8, request.Method);
        lines.Append("X-Forwarded-Uri: "u8);
        lines.Append(request.Path);
        if (!request.Query.IsEmpty)
        {
            lines.Append((byte)'?');
            lines.Append(request.Query);
        }

        lines.Append("\r\nX-Forwarded-Proto: "u8);
        lines.Append(scheme == "https" ? "https"u8 : "http"u8);
        lines.Append("\r\nX-Forwarded-For: "u8);
        client.TryFormatAddress(lines.Reserve(NativeAddress.MaxText), out var written);
        lines.Advance(written);
        lines.Append("\r\n"u8);
        host = host.IsEmpty ? request.Host : host;
        if (!host.IsEmpty)
            AppendLine(lines, "X-Forwarded-Host"u8, host);
        foreach (var name in gate.Forwarded)
        {
            for (var i = 0; request.Headers?.TryGet(name, i, out var value) == true; i++)
                AppendLine(lines, name, value);
        }

        return new AuthQuestion(lines.Bytes.ToArray());
    }

    /// <summary>The same for questions that tell the same, and no others: nothing in a value ends a line.</summary>
    public byte[] Hash() => SHA256.HashData(_lines);

    /// <summary>Puts it into a request. Values stay as they came: Latin-1 there and back.</summary>
    public void WriteTo(HttpRequestMessage request)
    {
        var lines = Encoding.Latin1.GetString(_lines);
        foreach (var range in lines.AsSpan().Split("\r\n"))
        {
            var line = lines.AsSpan(range);
            if (line.IsEmpty)
                continue;
            var colon = line.IndexOf(':');
            var (name, value) = (line[..colon].ToString(), line[(colon + 2)..].ToString());
            // The client's library sends what describes a body beside a body only: an empty one.
            if (!request.Headers.TryAddWithoutValidation(name, value))
                (request.Content ??= new ByteArrayContent([])).Headers.TryAddWithoutValidation(name, value);
        }
    }

    private static void AppendLine(ByteBuffer lines, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        lines.Append(name);
        lines.Append(": "u8);
        lines.Append(value);
        lines.Append("\r\n"u8);
    }
}
