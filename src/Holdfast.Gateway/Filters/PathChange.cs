using System.Diagnostics.CodeAnalysis;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;

namespace Holdfast.Gateway.Filters;

/// <summary>
/// A path in place of the request's, or of the prefix of it that the route matched, by the table of Gateway API's HTTPPathModifier. On the raw bytes: nothing is decoded, no dot
/// segment resolved and no slash joined, and the query stays. Immutable.
/// </summary>
internal sealed class PathChange
{
    private readonly byte[] _value;

    /// <summary>Without trailing slash; -1: the whole path is replaced.</summary>
    private readonly int _prefixLength;

    private PathChange(PathRewrite change, PathMatch match)
    {
        _value = Encoding.ASCII.GetBytes(change.Value);
        _prefixLength = change.Kind == PathRewriteKind.Full ? -1 : match.Value.TrimEnd('/').Length;
    }

    /// <param name="match">What the route matches: a prefix, where one is replaced.</param>
    [return: NotNullIfNotNull(nameof(change))]
    public static PathChange? Of(PathRewrite? change, PathMatch match) => change is null ? null : new PathChange(change, match);

    /// <summary>Writes path and query.</summary>
    public void AppendTarget(ByteBuffer output, RequestHead head)
    {
        var path = head.Path;
        if (_prefixLength < 0)
            output.Append(_value);
        else if (path.Length > _prefixLength)
            AppendJoined(output, path[_prefixLength..]);
        else
            output.Append(_value);
        output.Append(head.Target[path.Length..]);
    }

    /// <summary>The rest begins with the slash that ended the prefix, so that the value's own would be one too many.</summary>
    private void AppendJoined(ByteBuffer output, ReadOnlySpan<byte> rest)
    {
        ReadOnlySpan<byte> value = _value;
        output.Append(value.EndsWith((byte)'/') ? value[..^1] : value);
        output.Append(rest);
    }
}
