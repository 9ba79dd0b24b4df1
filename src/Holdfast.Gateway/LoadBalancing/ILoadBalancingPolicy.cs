using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.LoadBalancing;

/// <summary>
/// Picks among endpoints. Called by any loop at any time: an implementation is thread-safe, allocates nothing, and counts nothing (the
/// caller reserves). Phases may change while it looks, so it gives null rather than an endpoint it no longer likes.
/// </summary>
internal interface ILoadBalancingPolicy
{
    /// <summary>One of the candidates that the context allows, or null when there is none.</summary>
    EndpointState? Pick(ReadOnlySpan<EndpointState> candidates, in PickContext context);
}

/// <summary>The policies by name.</summary>
internal static class LoadBalancingPolicies
{
    public static ILoadBalancingPolicy Create(LoadBalancingPolicy policy) => policy switch
    {
        LoadBalancingPolicy.LeastConnections => new LeastConnectionsPolicy(),
        LoadBalancingPolicy.PowerOfTwoChoices => new PowerOfTwoChoicesPolicy(),
        LoadBalancingPolicy.RoundRobin => new RoundRobinPolicy(),
        LoadBalancingPolicy.Random => new RandomPolicy(),
        LoadBalancingPolicy.ConsistentHash => ConsistentHashPolicy.Instance,
        _ => throw new ArgumentOutOfRangeException(nameof(policy), policy, "Not a policy."),
    };

    /// <summary>How many the context allows.</summary>
    public static int Count(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        var count = 0;
        foreach (var endpoint in candidates)
        {
            if (context.Allows(endpoint))
                count++;
        }

        return count;
    }

    /// <summary>The allowed candidate with this index among the allowed; the last one when some have left since they were counted.</summary>
    public static EndpointState? At(ReadOnlySpan<EndpointState> candidates, int index, in PickContext context)
    {
        EndpointState? last = null;
        foreach (var endpoint in candidates)
        {
            if (!context.Allows(endpoint))
                continue;
            if (index-- == 0)
                return endpoint;
            last = endpoint;
        }

        return last;
    }
}
