namespace Holdfast.Gateway.Limits;

/// <summary>
/// Connections by key (a client's address, a tenant), each within a limit. Exact however many threads count; a key without connections takes no memory. Keys are 128 bits:
/// what clients choose is hashed before it comes here, so nothing they send decides a size.
/// </summary>
internal sealed class ConnectionCounts
{
    /// <summary>Parts with a lock of their own, so that loops seldom meet: a power of two.</summary>
    private const int Parts = 32;

    private readonly Part[] _parts = [.. Enumerable.Range(0, Parts).Select(static _ => new Part())];

    /// <summary>Keys that have a connection.</summary>
    public int Keys
    {
        get
        {
            var sum = 0;
            foreach (var part in _parts)
            {
                lock (part.Gate)
                    sum += part.Counts.Count;
            }

            return sum;
        }
    }

    public int Of(UInt128 key)
    {
        var part = PartOf(key);
        lock (part.Gate)
            return part.Counts.GetValueOrDefault(key);
    }

    /// <summary>Counts one more if there are fewer than <paramref name="limit"/>. True: pair it with exactly one <see cref="Remove"/>.</summary>
    public bool TryAdd(UInt128 key, int limit)
    {
        var part = PartOf(key);
        lock (part.Gate)
        {
            var count = part.Counts.GetValueOrDefault(key);
            if (count >= limit)
                return false;
            part.Counts[key] = count + 1;
            return true;
        }
    }

    /// <exception cref="InvalidOperationException">More were removed than added; the count stays 0.</exception>
    public void Remove(UInt128 key)
    {
        var part = PartOf(key);
        lock (part.Gate)
        {
            var count = part.Counts.GetValueOrDefault(key);
            if (count == 0)
                throw new InvalidOperationException("A connection was given back twice.");
            if (count == 1)
                part.Counts.Remove(key);
            else
                part.Counts[key] = count - 1;
        }
    }

    private Part PartOf(UInt128 key) => _parts[key.GetHashCode() & (Parts - 1)];

    private sealed class Part
    {
        public readonly Lock Gate = new();
        public readonly Dictionary<UInt128, int> Counts = [];
    }
}
