using Holdfast.Api.Configuration;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Limits;

/// <summary>
/// What one backend's connections are counted under. A claim is made while a limit is configured and taken back with the connection, whatever the configuration says by then:
/// a limit set while connections are open counts those that come after it.
/// </summary>
internal sealed class BackendCounts
{
    private const byte AddressKind = 1, KeyKind = 2;

    public ConnectionCounts Addresses { get; } = new();

    public ConnectionCounts Keys { get; } = new();

    /// <summary>False: the client's address has as many as it may.</summary>
    public bool TryClaimAddress(BackendLimits limits, in NativeAddress client, ref PairClaims claims)
    {
        if (limits.ConnectionsPerClientAddress == 0)
            return true;
        if (!Addresses.TryAdd(ClientKey.KeyOf(client), limits.ConnectionsPerClientAddress))
            return false;
        claims.Kinds |= AddressKind;
        return true;
    }

    /// <summary>False: the request's key has as many as it may.</summary>
    public bool TryClaimKey(KeyLimit limit, IHeaderLookup headers, ref PairClaims claims)
    {
        var key = HeaderKey.Of(headers, limit.Header);
        if (!Keys.TryAdd(key, limit.Max))
            return false;
        claims.Kinds |= KeyKind;
        claims.Key = key;
        return true;
    }

    /// <summary>Takes back what was claimed for this client.</summary>
    public void Release(in PairClaims claims, in NativeAddress client)
    {
        if ((claims.Kinds & AddressKind) != 0)
            Addresses.Remove(ClientKey.KeyOf(client));
        if ((claims.Kinds & KeyKind) != 0)
            Keys.Remove(claims.Key);
    }
}
