namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// Each allowed endpoint in turn, over all loops together. One in slow start is passed over with the probability that its share lacks.
/// </summary>
internal sealed class RoundRobinPolicy : ILoadBalancingPolicy
{
    private int _turn = -1;

    public EndpointState? Pick(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        var count = LoadBalancingPolicies.Count(candidates, context);
        for (var lap = 0; lap < count; lap++)
        {
            var endpoint = LoadBalancingPolicies.At(candidates, Next(count), context);
            if (endpoint is null)
                return null;
            var factor = context.Factor(endpoint);
            if (factor >= 1 || context.Random.NextDouble() < factor)
                return endpoint;
        }

        // All are starting and all were passed over: somebody must take it.
        return count == 0 ? null : LoadBalancingPolicies.At(candidates, Next(count), context);
    }

    private int Next(int count) => (int)((uint)Interlocked.Increment(ref _turn) % (uint)count);
}
