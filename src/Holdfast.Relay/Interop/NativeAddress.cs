using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Holdfast.Relay.Interop;

/// <summary>A sockaddr_in or sockaddr_in6 by value (28 bytes), so that addresses live in plain pair state.</summary>
[StructLayout(LayoutKind.Sequential, Size = 28)]
public struct NativeAddress : IEquatable<NativeAddress>
{
    /// <summary>Bytes that any address fits in as text, a zone included.</summary>
    public const int MaxText = 65;

    internal const int FamilyV4 = 2, FamilyV6 = 10;

    private static readonly UInt128 MappedV4 = (UInt128)0xFFFF << 32;

    // Written by the kernel and by From, as bytes.
    private readonly ulong _a, _b, _c;
    private readonly uint _d;

    public readonly int Family => (int)(ushort)_a;

    public readonly bool IsEmpty => Family == 0;

    public readonly ushort Port => IsEmpty ? (ushort)0 : BinaryPrimitives.ReadUInt16BigEndian(Bytes[2..]);

    /// <summary>Without its port and zone. An IPv4 address counts as mapped into IPv6 (RFC 4291 2.5.5.2), so that both forms are equal; 0 when empty.</summary>
    public readonly UInt128 Bits => Family switch
    {
        FamilyV6 => BinaryPrimitives.ReadUInt128BigEndian(Bytes[8..]),
        FamilyV4 => MappedV4 | BinaryPrimitives.ReadUInt32BigEndian(Bytes[4..]),
        _ => UInt128.Zero,
    };

    /// <summary>An IPv4 address, mapped into IPv6 or not.</summary>
    public readonly bool IsV4 => !IsEmpty && Bits >> 32 == MappedV4 >> 32;

    internal readonly uint Length => Family == FamilyV6 ? 28u : 16u;

    internal readonly bool IsAnyV6 => Family == FamilyV6 && ToEndPoint().Address.Equals(IPAddress.IPv6Any);

    public static NativeAddress From(IPEndPoint endPoint)
    {
        NativeAddress address = default;
        var bytes = MemoryMarshal.AsBytes(new Span<NativeAddress>(ref address));
        var v6 = endPoint.AddressFamily == AddressFamily.InterNetworkV6;
        MemoryMarshal.Write(bytes, (ushort)(v6 ? FamilyV6 : FamilyV4));
        bytes[2] = (byte)(endPoint.Port >> 8);
        bytes[3] = (byte)endPoint.Port;
        endPoint.Address.TryWriteBytes(bytes[(v6 ? 8 : 4)..], out _);
        if (v6)
            MemoryMarshal.Write(bytes[24..], (uint)endPoint.Address.ScopeId);
        return address;
    }

    /// <summary>The inverse of <see cref="Bits"/>: mapped ones become IPv4.</summary>
    public static NativeAddress From(UInt128 bits, ushort port)
    {
        NativeAddress address = default;
        var bytes = MemoryMarshal.AsBytes(new Span<NativeAddress>(ref address));
        var v4 = bits >> 32 == MappedV4 >> 32;
        MemoryMarshal.Write(bytes, (ushort)(v4 ? FamilyV4 : FamilyV6));
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], port);
        if (v4)
            BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], (uint)bits);
        else
            BinaryPrimitives.WriteUInt128BigEndian(bytes[8..], bits);
        return address;
    }

    /// <summary>Allocates; for logs and the admin API. A v4 address mapped into v6 comes back as v4.</summary>
    public readonly IPEndPoint ToEndPoint()
    {
        var bytes = Bytes;
        if (Family != FamilyV6)
            return new IPEndPoint(new IPAddress(bytes.Slice(4, 4)), Port);
        var address = new IPAddress(bytes.Slice(8, 16), MemoryMarshal.Read<uint>(bytes[24..]));
        return new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, Port);
    }

    /// <summary>Writes the address without its port. IPv4 allocates nothing.</summary>
    public readonly bool TryFormatAddress(Span<byte> destination, out int written)
    {
        written = 0;
        if (Family == FamilyV6)
            return ToEndPoint().Address.TryFormat(destination, out written);
        foreach (var part in Bytes.Slice(4, 4))
        {
            if (written > 0)
                destination[written++] = (byte)'.';
            if (!part.TryFormat(destination[written..], out var digits))
                return false;
            written += digits;
        }

        return true;
    }

    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    private readonly ReadOnlySpan<byte> Bytes => MemoryMarshal.AsBytes(new ReadOnlySpan<NativeAddress>(in this));

    public readonly bool Equals(NativeAddress other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    public override readonly bool Equals(object? obj) => obj is NativeAddress other && Equals(other);

    public override readonly int GetHashCode() => HashCode.Combine(_a, _b, _c, _d);

    /// <summary>Without a port where none is known: proxies mostly tell of an address alone.</summary>
    public override readonly string ToString() => IsEmpty ? "" : Port == 0 ? ToEndPoint().Address.ToString() : ToEndPoint().ToString();

    public static bool operator ==(NativeAddress left, NativeAddress right) => left.Equals(right);

    public static bool operator !=(NativeAddress left, NativeAddress right) => !left.Equals(right);
}
