using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Tests.LoadBalancing;

internal static class Endpoints
{
    /// <summary>Ready since 0, with this many connections.</summary>
    public static EndpointState Ready(int id, int connections = 0, long since = 0)
    {
        var endpoint = new EndpointState(id, new EndpointAddress("10.0.0." + id, 80));
        endpoint.MarkReady(since);
        for (var i = 0; i < connections; i++)
            endpoint.Reserve();
        return endpoint;
    }

    /// <summary>One endpoint for each number of connections; ids from 0.</summary>
    public static EndpointState[] WithConnections(params int[] connections) => [.. connections.Select((c, i) => Ready(i, c))];

    public static BackendState Backend(LoadBalancingPolicy policy, params EndpointState[] endpoints) => new(1, Options(policy), endpoints);

    public static BackendOptions Options(LoadBalancingPolicy policy) => new() { Name = "b", Endpoints = [], LoadBalancing = policy };

    /// <summary>How often each endpoint is picked, nothing being reserved.</summary>
    public static int[] Distribution(ILoadBalancingPolicy policy, EndpointState[] endpoints, int picks, long nowMs = 1_000_000, long slowStartMs = 0)
    {
        var random = new Random(11);
        var counts = new int[endpoints.Length];
        for (var i = 0; i < picks; i++)
            counts[Array.IndexOf(endpoints, policy.Pick(endpoints, new PickContext(random, nowMs, slowStartMs, [])))]++;
        return counts;
    }
}
