namespace Holdfast.Gateway.LoadBalancing;

/// <summary>Uniform, except that an endpoint in slow start has a smaller share.</summary>
internal sealed class RandomPolicy : ILoadBalancingPolicy
{
    public EndpointState? Pick(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        var sum = 0.0;
        foreach (var endpoint in candidates)
        {
            if (context.Allows(endpoint))
                sum += context.Factor(endpoint);
        }

        var point = context.Random.NextDouble() * sum;
        EndpointState? last = null;
        foreach (var endpoint in candidates)
        {
            if (!context.Allows(endpoint))
                continue;
            last = endpoint;
            point -= context.Factor(endpoint);
            if (point < 0)
                break;
        }

        return last;
    }
}
