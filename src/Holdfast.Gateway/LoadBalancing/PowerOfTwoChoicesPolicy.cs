namespace Holdfast.Gateway.LoadBalancing;

/// <summary>The less loaded of two different endpoints picked uniformly; ties go to the first picked.</summary>
internal sealed class PowerOfTwoChoicesPolicy : ILoadBalancingPolicy
{
    public EndpointState? Pick(ReadOnlySpan<EndpointState> candidates, in PickContext context)
    {
        var count = LoadBalancingPolicies.Count(candidates, context);
        if (count < 2)
            return count == 0 ? null : LoadBalancingPolicies.At(candidates, 0, context);

        var first = context.Random.Next(count);
        var second = context.Random.Next(count - 1);
        if (second >= first)
            second++;
        var a = LoadBalancingPolicies.At(candidates, first, context);
        var b = LoadBalancingPolicies.At(candidates, second, context);
        if (a is null || b is null)
            return a ?? b;
        return context.Load(b) < context.Load(a) ? b : a;
    }
}
