using Holdfast.Api.Configuration;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Tests.LoadBalancing;

namespace Holdfast.Tests.Health;

/// <summary>A backend of ready endpoints and what handshakes meet there, on a clock of the test's own.</summary>
internal sealed class EjectionFixture
{
    private readonly Random _random = new(5);

    public EjectionFixture(int endpoints, EjectOptions? eject = null, LoadBalancingPolicy policy = LoadBalancingPolicy.LeastConnections)
    {
        All = Endpoints.WithConnections(new int[endpoints]);
        Policy = policy;
        Backend = new BackendState(1, Options(eject ?? new EjectOptions()), All);
    }

    public EndpointState[] All { get; }

    public BackendState Backend { get; }

    public LoadBalancingPolicy Policy { get; }

    public long Now { get; set; } = 1_000;

    public Ejections Ejections => Backend.Ejections;

    public BackendOptions Options(EjectOptions eject) => Endpoints.Options(Policy) with { SlowStart = TimeSpan.Zero, Health = new HealthOptions { Eject = eject } };

    /// <summary>Ends as this many handshakes that failed there.</summary>
    public void Fail(EndpointState endpoint, int times = 1, long trial = 0)
    {
        for (var i = 0; i < times; i++)
            Ejections.Failed(endpoint, trial, Now, isHandshake: true);
    }

    public void Upgrade(EndpointState endpoint) => Ejections.Upgraded(endpoint, Now);

    public EndpointState? Reserve(out long trial, params int[] excluded) => Backend.Reserve(_random, Now, excluded, out trial);

    /// <summary>Who is picked by ordinary handshakes: none is a trial.</summary>
    public HashSet<int> Picked(int times = 100)
    {
        var ids = new HashSet<int>();
        for (var i = 0; i < times; i++)
        {
            var endpoint = Reserve(out var trial);
            Xunit.Assert.Equal(0, trial);
            if (endpoint is null)
                continue;
            ids.Add(endpoint.Id);
        }

        return ids;
    }
}
