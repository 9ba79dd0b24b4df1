using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Filters;

/// <summary>A route's filters, ready for use. Immutable; thread-safe. Allocates for redirects only.</summary>
internal sealed class FilterPlan
{
    private readonly byte[][] _droppedFromRequests;
    private readonly byte[][] _droppedFromResponses;
    private readonly byte[] _requestLines;
    private readonly byte[] _responseLines;
    private readonly byte[]? _host;
    private readonly PathChange? _rewrite;
    private readonly RedirectPlan? _redirect;

    /// <param name="options">Valid ones.</param>
    /// <param name="path">What the route matches.</param>
    public FilterPlan(RouteFilters options, PathMatch path)
    {
        (_droppedFromRequests, _requestLines) = Compile(options.RequestHeaders);
        (_droppedFromResponses, _responseLines) = Compile(options.ResponseHeaders);
        ResponseHeaders = [.. options.ResponseHeaders.Set.Concat(options.ResponseHeaders.Add).Select(static h => KeyValuePair.Create(h.Name, h.Value))];
        _host = options.Rewrite?.Host is { } host ? Encoding.ASCII.GetBytes(host) : null;
        _rewrite = PathChange.Of(options.Rewrite?.Path, path);
        _redirect = options.Redirect is { } redirect ? new RedirectPlan(redirect, path) : null;
        ChangesRequests = !options.RequestHeaders.IsNone || options.Rewrite is not null;
    }

    /// <summary>Changes nothing.</summary>
    public static FilterPlan None { get; } = new(new RouteFilters(), PathMatch.Any);

    /// <summary>Whether the head that the endpoint sees is another for them.</summary>
    public bool ChangesRequests { get; }

    /// <summary>The lines that are set and added to an endpoint's answer, for answers that are not written as bytes.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ResponseHeaders { get; }

    /// <summary>Whether a request's header line does not go on, because it is removed or set anew. Names of either case.</summary>
    public bool DropsRequestHeader(ReadOnlySpan<byte> name) => Lists(_droppedFromRequests, name);

    /// <summary>Writes the lines that are set and added, each with its end.</summary>
    public void AppendRequestHeaders(ByteBuffer output) => output.Append(_requestLines);

    /// <summary>Writes the target that the endpoint sees.</summary>
    public void AppendTarget(ByteBuffer output, RequestHead head)
    {
        if (_rewrite is null)
            output.Append(head.Target);
        else
            _rewrite.AppendTarget(output, head);
    }

    /// <summary>The Host that the endpoint sees.</summary>
    public ReadOnlySpan<byte> HostOf(RequestHead head) => _host is null ? head.Host : _host;

    /// <summary>Whether a header line of an endpoint's answer does not go on.</summary>
    public bool DropsResponseHeader(ReadOnlySpan<byte> name) => Lists(_droppedFromResponses, name);

    /// <summary>Writes the lines that are set and added to an endpoint's answer, each with its end.</summary>
    public void AppendResponseHeaders(ByteBuffer output) => output.Append(_responseLines);

    /// <summary>The Location to send the client to instead, with the status. Null: the request goes on.</summary>
    /// <param name="isSecure">The client came over TLS, to this gateway or to a trusted proxy before it.</param>
    /// <param name="isTrusted">Its X-Forwarded-Host is believed.</param>
    public string? RedirectOf(RequestHead head, bool isSecure, out int status, bool isTrusted = false)
    {
        status = _redirect?.Status ?? 0;
        return _redirect?.LocationOf(head, isSecure, isTrusted);
    }

    private static (byte[][] Dropped, byte[] Lines) Compile(HeaderChanges changes)
    {
        var lines = string.Concat(changes.Set.Concat(changes.Add).Select(static h => $"{h.Name}: {h.Value}\r\n"));
        return ([.. changes.Remove.Concat(changes.Set.Select(static h => h.Name)).Select(Encoding.ASCII.GetBytes)], Encoding.ASCII.GetBytes(lines));
    }

    private static bool Lists(byte[][] names, ReadOnlySpan<byte> name)
    {
        foreach (var known in names)
        {
            if (HeadRules.NameEquals(known, name))
                return true;
        }

        return false;
    }
}
