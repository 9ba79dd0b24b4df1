using System.Net;
using System.Text;
using Holdfast.Wire.Proxy;

namespace Holdfast.Fuzz.Proxy;

/// <summary>
/// The input is what came in from outside; trusted proxies have added to it. Whatever it is, their words are read as if it were not there. X-Forwarded-For, whose grammar
/// is simple enough, is compared with an oracle as well.
/// </summary>
internal static class AddressChainTarget
{
    private static readonly (ChainSyntax Syntax, string Added, string[] Expected)[] Proxies =
    [
        (ChainSyntax.ForwardedFor, "192.0.2.1", ["192.0.2.1:0"]),
        (ChainSyntax.ForwardedFor, "[2001:db8::1]:443, 10.0.0.1:8080 ,\t10.0.0.2", ["10.0.0.2:0", "10.0.0.1:8080", "[2001:db8::1]:443"]),
        (ChainSyntax.ForwardedFor, "2001:db8::1,::ffff:10.0.0.1", ["10.0.0.1:0", "[2001:db8::1]:0"]),
        (ChainSyntax.Forwarded, "for=192.0.2.1", ["192.0.2.1:0"]),
        (ChainSyntax.Forwarded, "for=\"[2001:db8::1]:443\";proto=https, proto=http;for=10.0.0.1", ["10.0.0.1:0", "[2001:db8::1]:443"]),
        (ChainSyntax.Forwarded, "By=\"a,b\\\"c\\\\\";For=\"10.0.0.1:_x\" , for=10.0.0.2;host=\";,\"", ["10.0.0.2:0", "10.0.0.1:0"]),
    ];

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length > 4096)
            return;
        foreach (var (syntax, added, expected) in Proxies)
        {
            ReadOnlySpan<byte> list = (byte[])[.. data, .. ", "u8, .. Encoding.Latin1.GetBytes(added)];
            foreach (var node in expected)
            {
                FuzzFailure.Unless(AddressChain.TryTakeLast(ref list, syntax, out var bits, out var port, out var hasMore), $"{added}: {node} is not read");
                FuzzFailure.UnlessEqual(IPEndPoint.Parse(node), EndPointOf(bits, port), added);
                FuzzFailure.Unless(hasMore, $"{added}: there is more");
            }

            FuzzFailure.Unless(list.SequenceEqual(data), "what was there before is not left as it was");
            for (var hasMore = true; hasMore;)
                _ = AddressChain.TryTakeLast(ref list, syntax, out _, out _, out hasMore);
        }

        CompareWithOracle(data);
    }

    private static void CompareWithOracle(ReadOnlySpan<byte> data)
    {
        var list = data;
        foreach (var element in Encoding.Latin1.GetString(data).Split(',').Reverse().Select(e => e.Trim(' ', '\t')))
        {
            var isAddress = AddressChain.TryTakeLast(ref list, ChainSyntax.ForwardedFor, out var bits, out var port, out _);
            FuzzFailure.UnlessEqual(NodeOf(element), isAddress ? EndPointOf(bits, port) : null, element);
        }
    }

    private static IPEndPoint? NodeOf(string node)
    {
        if (node.StartsWith('['))
            return node.IndexOf(']', StringComparison.Ordinal) is var end && end > 0 && node[1..end].Contains(':', StringComparison.Ordinal) ? With(node[1..end], node[(end + 1)..]) : null;
        var colons = node.Count(c => c == ':');
        return colons == 1 ? With(node[..node.IndexOf(':', StringComparison.Ordinal)], node[node.IndexOf(':', StringComparison.Ordinal)..]) : With(node, "");
    }

    private static IPEndPoint? With(string address, string port)
    {
        if (!AddressText.TryParse(Encoding.Latin1.GetBytes(address), out var bits))
            return null;
        if (port.Length == 0)
            return EndPointOf(bits, 0);
        return port[0] == ':' && AddressText.TryParsePort(Encoding.Latin1.GetBytes(port[1..]), out var number) ? EndPointOf(bits, number) : null;
    }

    private static IPEndPoint EndPointOf(UInt128 bits, ushort port)
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, bits);
        var address = new IPAddress(bytes);
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, port);
    }
}
