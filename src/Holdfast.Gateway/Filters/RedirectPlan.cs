using System.Globalization;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Filters;

/// <summary>Where a route sends its clients (Gateway API HTTPRequestRedirectFilter). Immutable.</summary>
internal sealed class RedirectPlan(RedirectFilter options, PathMatch match)
{
    private readonly PathChange? _path = PathChange.Of(options.Path, match);

    public int Status => options.Status;

    /// <summary>
    /// The absolute URL. What it takes of the request has been checked: Host by its grammar, the target for visible ASCII, so that nothing in it ends a line. Null: the request names no
    /// host (HTTP/1.0), and neither does the route; of its path alone a client could make another host ("//host/").
    /// </summary>
    public string? LocationOf(RequestHead head, bool isSecure, bool isTrusted)
    {
        var asked = isTrusted && head.TryGet("x-forwarded-host"u8, out var forwarded) && !forwarded.IsEmpty && HeadRules.IsHost(forwarded) ? forwarded : head.Host;
        Split(asked, out var host, out var askedPort);
        if (options.Host is null && host.IsEmpty)
            return null;

        var scheme = options.Scheme ?? (isSecure ? "https" : "http");
        var own = scheme is "https" ? 443 : 80;
        // The port that the client used stands for the listener's: what lies between may have mapped one to the other.
        var port = options.Port ?? (options.Scheme is null && askedPort > 0 ? askedPort : own);
        var target = new ByteBuffer();
        if (_path is null)
            target.Append(head.Target);
        else
            _path.AppendTarget(target, head);
        var shown = port == own ? "" : string.Create(CultureInfo.InvariantCulture, $":{port}");
        return $"{scheme}://{options.Host ?? Encoding.ASCII.GetString(host)}{shown}{Encoding.ASCII.GetString(target.Bytes)}";
    }

    /// <param name="port">0: none is given, or none that could be used.</param>
    private static void Split(ReadOnlySpan<byte> authority, out ReadOnlySpan<byte> host, out int port)
    {
        host = authority;
        port = 0;
        var colon = authority.LastIndexOf((byte)':');
        if (colon < 0 || colon < authority.LastIndexOf((byte)']'))
            return;
        host = authority[..colon];
        if (int.TryParse(authority[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 65535)
            port = number;
    }
}
