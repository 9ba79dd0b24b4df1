using Holdfast.Api.Configuration;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;

namespace Holdfast.Gateway.Filters;

/// <summary>A route's filters, ready for use. Immutable; thread-safe.</summary>
internal sealed class FilterPlan(RouteFilters options)
{
    public RouteFilters Options { get; } = options;

    /// <summary>Whether a request's header line does not go on, because it is removed or set anew. Names of either case.</summary>
    public bool DropsRequestHeader(ReadOnlySpan<byte> name) => false;

    /// <summary>Writes the lines that are set and added, each with its end.</summary>
    public void AppendRequestHeaders(ByteBuffer output)
    {
    }

    /// <summary>Writes the target that the endpoint sees.</summary>
    public void AppendTarget(ByteBuffer output, RequestHead head) => output.Append(head.Target);

    /// <summary>The Host that the endpoint sees.</summary>
    public ReadOnlySpan<byte> HostOf(RequestHead head) => head.Host;

    /// <summary>Whether a header line of an endpoint's answer does not go on.</summary>
    public bool DropsResponseHeader(ReadOnlySpan<byte> name) => false;

    /// <summary>Writes the lines that are set and added to an endpoint's answer, each with its end.</summary>
    public void AppendResponseHeaders(ByteBuffer output)
    {
    }

    /// <summary>The same lines, for answers that are not written as bytes.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ResponseHeaders { get; } = [];

    /// <summary>The Location to send the client to instead, with the status. Null: the request goes on.</summary>
    public string? RedirectOf(RequestHead head, bool isSecure, out int status)
    {
        status = 0;
        return null;
    }
}
