namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// Rendezvous hashing (Thaler, Ravishankar 1998) with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): each endpoint has a score for the key, and the key goes
/// to the highest one that is not over the bound. When an endpoint comes or goes, only the keys that it has, or had, move. Without a key: any endpoint.
/// </summary>
/// <remarks>Slow start does not apply: a key that another endpoint takes meanwhile would move twice.</remarks>
internal sealed class ConsistentHashPolicy : ILoadBalancingPolicy
{
    public static readonly ConsistentHashPolicy Instance = new();

    public EndpointState? Pick(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        var most = MostConnections(candidates, in context);
        var hash = context.Hash ?? (ulong)context.Random.NextInt64(long.MinValue, long.MaxValue);
        EndpointState? best = null, bestOver = null;
        ulong highest = 0, highestOver = 0;
        foreach (var endpoint in candidates)
        {
            if (!context.Allows(endpoint))
                continue;
            var score = StableHash.Mix(hash, endpoint.Hash);
            if (endpoint.InUse >= most)
            {
                if (bestOver is null || score > highestOver)
                    (bestOver, highestOver) = (endpoint, score);
            }
            else if (best is null || score > highest)
            {
                (best, highest) = (endpoint, score);
            }
        }

        // The one with the fewest is never over the bound, unless counts have changed between the two looks.
        return best ?? bestOver;
    }

    /// <summary>Whose the key is while every endpoint that is ready and passes its check is well: the ejected ones are asked too.</summary>
    public static EndpointState? OwnerOf(ulong hash, ReadOnlySpan<EndpointState> candidates, ReadOnlySpan<int> excluded)
    {
        EndpointState? owner = null;
        ulong highest = 0;
        foreach (var endpoint in candidates)
        {
            if (endpoint.Phase != EndpointPhase.Ready || endpoint.FailsCheck || excluded.Contains(endpoint.Id))
                continue;
            var score = StableHash.Mix(hash, endpoint.Hash);
            if (owner is null || score > highest)
                (owner, highest) = (endpoint, score);
        }

        return owner;
    }

    /// <summary>What an endpoint may have at most: the bound times the mean, the connection to come included, rounded up.</summary>
    private static double MostConnections(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        if (context.Bound <= 0)
            return double.PositiveInfinity;
        var (count, sum) = (0, 1L);       // The one to come.
        foreach (var endpoint in candidates)
        {
            if (!context.Allows(endpoint))
                continue;
            count++;
            sum += endpoint.InUse;
        }

        return Math.Ceiling(context.Bound * sum / Math.Max(1, count));
    }
}
