namespace Holdfast.Gateway.Affinity;

/// <summary>What a request is known by, if anything. Plain: it is kept while a handshake waits.</summary>
/// <param name="Tag">Of a good cookie: names an endpoint to whoever has the secret; 0: there is none.</param>
/// <param name="Hash">Of the key that is spread over the endpoints; null: nothing is hashed.</param>
/// <param name="Turn">Of a good cookie: where in a drain of its endpoint the session moves on, in 65,536ths of the drain's closes. Evenly spread over sessions.</param>
internal readonly record struct AffinityKey(ulong Tag, ulong? Hash, ushort Turn = 0)
{
    public static AffinityKey None => default;
}
