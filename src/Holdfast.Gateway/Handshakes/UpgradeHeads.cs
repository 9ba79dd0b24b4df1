using System.Buffers.Text;
using System.Text;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Filters;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Interop;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Handshakes;

/// <summary>
/// Rewrites heads (DESIGN section 3.5): what one hop may not tell the next is removed, what a client may not forge is stripped, and what the
/// endpoint should know is added.
/// </summary>
internal static class UpgradeHeads
{
    /// <summary>Bytes of a request's head, the client's or the endpoint's.</summary>
    public const int MaxHead = 32 * 1024;

    /// <summary>Bytes that a request's head seldom grows by.</summary>
    public const int Added = 256;

    /// <summary>Writes the head of a WebSocket handshake for an endpoint.</summary>
    /// <param name="extensions">False: no extension is offered, since the next endpoint could not go on with another's compression.</param>
    public static void WriteRequest(ByteBuffer output, RequestHead head, in HeadFacts facts, bool extensions = true)
    {
        WriteStart(output, head, in facts, "GET"u8, withoutExtensions: !extensions);
        output.Append("Connection: Upgrade\r\nUpgrade: websocket\r\n"u8);
        WriteEnd(output, head, in facts);
    }

    /// <summary>Writes the head of a plain request for an endpoint, which keeps the connection; how its body is framed is written by what was parsed.</summary>
    /// <param name="auth">Who was asked about it: what others say under its names does not go on.</param>
    /// <param name="copied">What it said.</param>
    public static void WritePlain(ByteBuffer output, RequestHead head, in HeadFacts facts, AuthGate? auth, IReadOnlyList<KeyValuePair<string, string>> copied)
    {
        WriteStart(output, head, in facts, head.Method, withoutExtensions: false, auth);
        foreach (var (name, value) in copied)
            AppendLine(output, Encoding.ASCII.GetBytes(name), Encoding.Latin1.GetBytes(value));
        if (head.Lists("te"u8, "trailers"u8))
            output.Append("TE: trailers\r\nConnection: TE\r\n"u8);
        if (head.IsChunked)
        {
            output.Append("Transfer-Encoding: chunked\r\n"u8);
        }
        else if (head.ContentLength >= 0)
        {
            output.Append("Content-Length: "u8);
            Utf8Formatter.TryFormat(head.ContentLength, output.Reserve(20), out var digits);
            output.Advance(digits);
            output.Append("\r\n"u8);
        }

        WriteEnd(output, head, in facts);
    }

    /// <summary>
    /// Puts into a head that was written before what an auth service said, in place of what anyone else said under its names. Not earlier: what the service is told may be what it
    /// replaces, and its names are those of the one that was asked, not of the one configured when the request came. False, and nothing is done: the head would be too long.
    /// </summary>
    /// <param name="lines">Each with its end.</param>
    public static bool Insert(ByteBuffer output, AuthGate auth, ReadOnlySpan<byte> lines)
    {
        if (output.Length + lines.Length > MaxHead)
            return false;
        ReadOnlySpan<byte> head = output.Bytes.ToArray();
        output.Clear();
        while (head.IndexOf("\r\n"u8) is var end and > 0)
        {
            // The request's line may have a colon too, but no header's name before it.
            var colon = head[..end].IndexOf((byte)':');
            if (colon < 0 || !auth.IsCopied(head[..colon]))
                output.Append(head[..(end + 2)]);
            head = head[(end + 2)..];
        }

        output.Append(lines);
        output.Append("\r\n"u8);
        return true;
    }

    /// <summary>Writes a request head that an endpoint was sent before for another, with a key of its own and the number of the re-home.</summary>
    public static void WriteAgain(ByteBuffer output, ReadOnlySpan<byte> head, ReadOnlySpan<byte> key, int number)
    {
        output.Clear();
        while (true)
        {
            var end = head.IndexOf("\r\n"u8);
            if (end <= 0)
                break;
            var line = head[..(end + 2)];
            head = head[(end + 2)..];
            var colon = line.IndexOf((byte)':');
            if (colon > 0 && HeadRules.NameEquals(line[..colon], "sec-websocket-key"u8))
                AppendLine(output, line[..colon], key);
            else
                output.Append(line);
        }

        output.Append("Holdfast-Rehomed: "u8);
        Utf8Formatter.TryFormat(number, output.Reserve(11), out var digits);
        output.Advance(digits);
        output.Append("\r\n\r\n"u8);
    }

    /// <summary>
    /// Changes a head for an endpoint as the route's filters say. Last of all: admission judges what the client has sent, and what the auth service has said is in the head.
    /// False: it would be too long.
    /// </summary>
    /// <param name="output">A whole head.</param>
    /// <param name="scratch">Is made to hold it as it was.</param>
    public static bool Filter(ByteBuffer output, RequestHead scratch, FilterPlan filters)
    {
        if (scratch.Parse(output.Bytes) is var fault and not HeadFault.None)
            throw new InvalidOperationException("The head for the endpoint breaks our own rules: " + fault);
        output.Clear();
        output.Append(scratch.Method);
        output.Append((byte)' ');
        filters.AppendTarget(output, scratch);
        output.Append(" HTTP/1.1\r\n"u8);
        for (var i = 0; i < scratch.HeaderCount; i++)
        {
            var name = scratch.Name(i);
            if (HeadRules.NameEquals(name, "host"u8))
                AppendLine(output, name, filters.HostOf(scratch));
            else if (!filters.DropsRequestHeader(name))
                AppendLine(output, name, scratch.Value(i));
        }

        filters.AppendRequestHeaders(output);
        output.Append("\r\n"u8);
        return output.Length <= MaxHead;
    }

    /// <summary>Writes the 101 for the client.</summary>
    public static void WriteSwitching(ByteBuffer output, in ResponseHead head, FilterPlan filters)
    {
        output.Clear();
        output.Append("HTTP/1.1 101 Switching Protocols\r\n"u8);
        var namesHeaders = head.HasConnectionOptions;
        foreach (var line in head)
        {
            if (!IsHopByHop(line.Name) && !IsHoldfast(line.Name) && !HeadRules.NameEquals(line.Name, "content-length"u8)
                && !(namesHeaders && head.Lists(ResponseHeader.Connection, line.Name)) && !filters.DropsResponseHeader(line.Name))
                AppendLine(output, line.Name, line.Value);
        }

        filters.AppendResponseHeaders(output);
        output.Append("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"u8);
    }

    /// <summary>Writes an endpoint's refusal for the client; its body follows as framed, and the connection closes after it.</summary>
    public static void WriteRefusal(ByteBuffer output, in ResponseHead head, FilterPlan filters)
    {
        output.Clear();
        output.Append("HTTP/1.1 "u8);
        Utf8Formatter.TryFormat(head.Status, output.Reserve(8), out var digits);
        output.Advance(digits);
        output.Append((byte)' ');
        output.Append(head.Reason);
        output.Append("\r\n"u8);
        var namesHeaders = head.HasConnectionOptions;
        foreach (var line in head)
        {
            var name = line.Name;
            var kept = HeadRules.NameEquals(name, "transfer-encoding"u8)
                || (HeadRules.NameEquals(name, "upgrade"u8) && head.Status == 426)
                || (!IsHopByHop(name) && !(namesHeaders && head.Lists(ResponseHeader.Connection, name)));
            if (kept && !IsHoldfast(name) && !filters.DropsResponseHeader(name))
                AppendLine(output, name, line.Value);
        }

        filters.AppendResponseHeaders(output);
        output.Append("Connection: close\r\n\r\n"u8);
    }

    /// <summary>Headers that concern one hop only (RFC 9110 7.6.1).</summary>
    public static bool IsHopByHop(ReadOnlySpan<byte> name) => name.Length switch
    {
        2 => HeadRules.NameEquals(name, "te"u8),
        7 => HeadRules.NameEquals(name, "upgrade"u8) || HeadRules.NameEquals(name, "trailer"u8),
        10 => HeadRules.NameEquals(name, "connection"u8) || HeadRules.NameEquals(name, "keep-alive"u8),
        16 => HeadRules.NameEquals(name, "proxy-connection"u8),
        17 => HeadRules.NameEquals(name, "transfer-encoding"u8),
        18 => HeadRules.NameEquals(name, "proxy-authenticate"u8),
        19 => HeadRules.NameEquals(name, "proxy-authorization"u8),
        _ => false,
    };

    /// <summary>Headers that only the gateway may set, or only a trusted proxy before it. Forwarding ones are always written anew.</summary>
    public static bool IsStripped(ReadOnlySpan<byte> name, bool trusted) =>
        IsHoldfast(name) || IsClientCertificate(name) || (HeadRules.NameEquals(name, "forwarded"u8) && !trusted) || StartsWith(name, "x-forwarded-"u8, trusted);

    public static bool IsHoldfast(ReadOnlySpan<byte> name) => name.Length >= 9 && HeadRules.NameEquals(name[..9], "holdfast-"u8);

    /// <summary>Nobody else's word counts here, a trusted proxy's neither: what it means depends on whom that proxy asked for what (RFC 9440 4).</summary>
    private static bool IsClientCertificate(ReadOnlySpan<byte> name) => HeadRules.NameEquals(name, "client-cert"u8) || HeadRules.NameEquals(name, "client-cert-chain"u8);

    private static bool StartsWith(ReadOnlySpan<byte> name, ReadOnlySpan<byte> prefix, bool trusted)
    {
        if (name.Length < prefix.Length || !HeadRules.NameEquals(name[..prefix.Length], prefix))
            return false;
        // For, Proto and Host are rewritten; a trusted proxy's other ones (X-Forwarded-Port, -Prefix...) pass.
        return !trusted || HeadRules.NameEquals(name, "x-forwarded-for"u8) || HeadRules.NameEquals(name, "x-forwarded-proto"u8)
            || HeadRules.NameEquals(name, "x-forwarded-host"u8);
    }

    private static void WriteStart(
        ByteBuffer output, RequestHead head, in HeadFacts facts, ReadOnlySpan<byte> method, bool withoutExtensions, AuthGate? auth = null)
    {
        output.Clear();
        output.Append(method);
        output.Append((byte)' ');
        output.Append(head.Target);
        output.Append(" HTTP/1.1\r\n"u8);
        AppendLine(output, "Host"u8, head.Host);
        var namesHeaders = head.HasConnectionOptions;
        for (var i = 0; i < head.HeaderCount; i++)
        {
            var name = head.Name(i);
            if (IsHopByHop(name) || IsStripped(name, facts.IsTrusted) || HeadRules.NameEquals(name, "host"u8) || HeadRules.NameEquals(name, "content-length"u8)
                || (namesHeaders && head.Lists("connection"u8, name)) || (withoutExtensions && HeadRules.NameEquals(name, "sec-websocket-extensions"u8))
                || auth?.IsCopied(name) == true)
                continue;
            AppendLine(output, name, head.Value(i));
        }
    }

    private static void WriteEnd(ByteBuffer output, RequestHead head, in HeadFacts facts)
    {
        WriteForwarded(output, head, in facts);
        if (!head.TryGet("traceparent"u8, out _))
            WriteTraceParent(output);
        if (!facts.ClientCertificate.IsEmpty)
            AppendLine(output, "Client-Cert"u8, facts.ClientCertificate.Span);
        output.Append("Holdfast-Connection-Id: "u8);
        AppendHex(output, facts.Id);
        output.Append("\r\n\r\n"u8);
    }

    private static void WriteForwarded(ByteBuffer output, RequestHead head, in HeadFacts facts)
    {
        var trusted = facts.IsTrusted;
        output.Append("X-Forwarded-For: "u8);
        if (trusted)
        {
            for (var i = 0; i < head.HeaderCount; i++)
            {
                if (HeadRules.NameEquals(head.Name(i), "x-forwarded-for"u8) && !head.Value(i).IsEmpty)
                {
                    output.Append(head.Value(i));
                    output.Append(", "u8);
                }
            }
        }

        AppendAddress(output, facts.Peer);
        output.Append("\r\n"u8);
        AppendLine(output, "X-Forwarded-Proto"u8, trusted && head.TryGet("x-forwarded-proto"u8, out var proto) ? proto : facts.IsSecure ? "https"u8 : "http"u8);
        AppendLine(output, "X-Forwarded-Host"u8, trusted && head.TryGet("x-forwarded-host"u8, out var host) ? host : head.Host);
    }

    private static void WriteTraceParent(ByteBuffer output)
    {
        // W3C Trace Context: version 00, random trace and parent ids, sampled left to others.
        Span<byte> random = stackalloc byte[24];
        LoopRandom.OfThread.Fill(random);
        output.Append("traceparent: 00-"u8);
        AppendHex(output, random[..16]);
        output.Append((byte)'-');
        AppendHex(output, random[16..]);
        output.Append("-00\r\n"u8);
    }

    private static void AppendLine(ByteBuffer output, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        output.Append(name);
        output.Append(": "u8);
        output.Append(value);
        output.Append("\r\n"u8);
    }

    private static void AppendAddress(ByteBuffer output, in NativeAddress address)
    {
        address.TryFormatAddress(output.Reserve(NativeAddress.MaxText), out var written);
        output.Advance(written);
    }

    private static void AppendHex(ByteBuffer output, UInt128 value)
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        AppendHex(output, bytes);
    }

    private static void AppendHex(ByteBuffer output, ReadOnlySpan<byte> bytes)
    {
        _ = Convert.TryToHexStringLower(bytes, output.Reserve(bytes.Length * 2), out var written);
        output.Advance(written);
    }
}

/// <summary>What the gateway knows of a request beside its head.</summary>
/// <param name="Peer">Who holds the other end of the connection.</param>
/// <param name="IsTrusted">Its X-Forwarded-* headers are believed.</param>
/// <param name="IsSecure">The client speaks TLS to this gateway.</param>
/// <param name="Id">Of the connection.</param>
internal readonly record struct HeadFacts(NativeAddress Peer, bool IsTrusted, bool IsSecure, UInt128 Id)
{
    /// <summary>What is told of the certificate that the client has shown; empty: none.</summary>
    public ReadOnlyMemory<byte> ClientCertificate { get; init; }
}
