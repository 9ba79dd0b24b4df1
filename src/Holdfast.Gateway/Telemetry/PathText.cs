using System.Text;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>A request path as text: untrusted bytes, zero-padded, maybe cut inside a character.</summary>
internal static class PathText
{
    public static ReadOnlySpan<byte> Bytes(in PathBytes path)
    {
        ReadOnlySpan<byte> bytes = path;
        var end = bytes.IndexOf((byte)0);
        return end < 0 ? bytes : bytes[..end];
    }

    /// <summary>What is not UTF-8 becomes U+FFFD.</summary>
    public static string Of(in PathBytes path) => Encoding.UTF8.GetString(Bytes(in path));
}
