namespace Holdfast.Gateway.Affinity;

/// <summary>What a request is known by, if anything. Plain: it is kept while a handshake waits.</summary>
/// <param name="Tag">Of a good cookie: names an endpoint to whoever has the secret; 0: there is none.</param>
/// <param name="Hash">Of the key that is spread over the endpoints; null: nothing is hashed.</param>
internal readonly record struct AffinityKey(ulong Tag, ulong? Hash)
{
    public static AffinityKey None => default;
}
