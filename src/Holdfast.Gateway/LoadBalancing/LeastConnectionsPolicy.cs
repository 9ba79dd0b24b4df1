namespace Holdfast.Gateway.LoadBalancing;

/// <summary>The least load; ties at random, or gateways that count alike would all send to the same endpoint.</summary>
internal sealed class LeastConnectionsPolicy : ILoadBalancingPolicy
{
    public EndpointState? Pick(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        EndpointState? best = null;
        var least = double.PositiveInfinity;
        var ties = 0;
        foreach (var endpoint in candidates)
        {
            if (!context.Allows(endpoint))
                continue;
            var load = context.Load(endpoint);
            if (load < least)
                (best, least, ties) = (endpoint, load, 1);
            else if (load == least && context.Random.Next(++ties) == 0)
                best = endpoint;
        }

        return best;
    }
}
