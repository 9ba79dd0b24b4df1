using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Limits;

/// <summary>What a client's address counts as, for limits, turns and affinity.</summary>
internal static class ClientKey
{
    /// <summary>
    /// Of IPv4 the address, mapped into IPv6 or not; of IPv6 its /64, which is one subscriber's (RFC 6177): whoever has one could else come from 2^64 addresses. The
    /// two kinds never meet, since a /64's lower half is 0 and a mapped address' upper half.
    /// </summary>
    public static UInt128 KeyOf(in NativeAddress address) => address.IsV4 ? address.Bits : address.Bits >> 64 << 64;
}
