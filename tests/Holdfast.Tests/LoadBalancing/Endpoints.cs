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

    /// <summary>Takes an endpoint as an established connection; null: none could be.</summary>
    public static EndpointState? Reserve(this BackendState backend, Random random, long nowMs, ReadOnlySpan<int> tried, out long trial)
    {
        var request = new PickRequest(random, nowMs, tried);
        if (backend.Reserve(in request, out var endpoint, out trial) != Reservation.Taken)
            return null;
        endpoint!.EndHandshake();
        return endpoint;
    }

    /// <summary>Takes an endpoint, and gives it back at once.</summary>
    public static EndpointState? Pick(this BackendState backend, Random random, long nowMs, ReadOnlySpan<int> tried, bool isHandshake, out long trial)
    {
        var request = new PickRequest(random, nowMs, tried) { IsHandshake = isHandshake };
        return backend.Pick(in request, out trial);
    }

    /// <summary>Takes an endpoint, and gives it back at once.</summary>
    public static EndpointState? Pick(this BackendState backend, in PickRequest request, out long trial)
    {
        if (backend.Reserve(in request, out var endpoint, out trial) != Reservation.Taken)
            return null;
        if (!request.IsHandshake)
        {
            endpoint!.ReleaseRequest();
            return endpoint;
        }

        endpoint!.EndHandshake();
        endpoint.Release();
        return endpoint;
    }

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
