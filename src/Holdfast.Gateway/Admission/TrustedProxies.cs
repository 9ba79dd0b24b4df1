using System.Net;
using System.Net.Sockets;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Admission;

/// <summary>A listener's <c>trustedProxies</c>, as numbers: whether an address is among them allocates nothing. Immutable, thread-safe.</summary>
internal sealed class TrustedProxies
{
    private readonly Network[] _networks;

    public TrustedProxies(IReadOnlyList<IPNetwork> networks) => _networks = [.. networks.Select(Compile)];

    public static TrustedProxies None { get; } = new([]);

    public bool IsEmpty => _networks.Length == 0;

    public bool Contains(in NativeAddress address)
    {
        if (address.IsEmpty)
            return false;
        var (bits, isV4) = (address.Bits, address.IsV4);
        foreach (var network in _networks)
        {
            if (network.IsV4 == isV4 && (bits & network.Mask) == network.Prefix)
                return true;
        }

        return false;
    }

    /// <summary>An IPv4 network counts as mapped into IPv6, as addresses do; a wider IPv6 network (<c>::/0</c>) holds no IPv4 address.</summary>
    private static Network Compile(IPNetwork network)
    {
        var address = NativeAddress.From(new IPEndPoint(network.BaseAddress, 0));
        var length = network.PrefixLength + (network.BaseAddress.AddressFamily == AddressFamily.InterNetwork ? 96 : 0);
        var mask = length == 0 ? UInt128.Zero : UInt128.MaxValue << (128 - length);
        return new Network(address.Bits, mask, address.IsV4 && length >= 96);
    }

    private readonly record struct Network(UInt128 Prefix, UInt128 Mask, bool IsV4);
}
