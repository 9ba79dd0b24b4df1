using System.Collections.Concurrent;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Admission;

/// <summary>Limits and the queue while many threads come and go, and another changes what they depend on.</summary>
public sealed class AdmissionRaceTests
{
    private const int Threads = 8, Attempts = 10_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(LoadBalancingPolicy.LeastConnections, false)]
    [InlineData(LoadBalancingPolicy.Random, false)]
    [InlineData(LoadBalancingPolicy.Random, true)]
    public void Ten_thousand_attempts_in_parallel_never_exceed_a_limit_of_an_endpoint(LoadBalancingPolicy policy, bool isKeyed)
    {
        const int Connections = 9, Handshakes = 3;
        var all = Endpoints.WithConnections(0, 0, 0);
        var options = Options(new HandshakeOptions { InFlightPerEndpoint = Handshakes }, Connections) with { LoadBalancing = policy };
        var backend = new BackendState(1, options, [.. all]);
        var (taken, change) = (0, 0);
        Racers.Run(
            Threads,
            n =>
            {
                var random = new Random(n);
                var held = new Queue<EndpointState>();
                for (var i = 0; i < Attempts / Threads; i++)
                {
                    var request = new PickRequest(random, i, []) { Key = isKeyed ? new AffinityKey(0, (ulong)random.NextInt64()) : default };
                    if (backend.Reserve(in request, out var endpoint, out _) == Reservation.Taken)
                    {
                        Interlocked.Increment(ref taken);
                        Assert.InRange(endpoint!.Handshakes, 1, Handshakes);
                        Assert.InRange(endpoint.Connections, 1, Connections);
                        Thread.Yield();
                        endpoint.EndHandshake();
                        held.Enqueue(endpoint);
                    }

                    while (held.Count > random.Next(12))
                        held.Dequeue().Release();
                }

                while (held.TryDequeue(out var endpoint))
                    endpoint.Release();
            },
            () =>
            {
                // The limits are seen from outside as well: never passed, and never below nothing.
                Assert.All(all, static e => Assert.InRange(e.Connections, 0, Connections));
                Assert.All(all, static e => Assert.InRange(e.Handshakes, 0, Handshakes));
                var endpoint = all[++change % all.Length];
                if (change % 4 == 0)
                    endpoint.MarkDraining();
                else
                    endpoint.MarkReady(0);
                endpoint.SetHealth(change % 7 == 0 ? EndpointHealth.Unhealthy : EndpointHealth.Healthy);
                // Another that is lower now and then: it admits no more, and is no reason for a count to be wrong.
                var limits = new BackendLimits { ConnectionsPerEndpoint = change % 5 == 0 ? 2 : Connections };
                backend.Apply(options with { Limits = limits }, change % 3 == 0 ? [.. all.AsSpan(0, 2)] : [.. all], []);
            });
        Assert.All(all, static e => Assert.Equal((0, 0), (e.Connections, e.Handshakes)));
        Assert.NotEqual(0, taken);
    }

    [Fact]
    public void Without_a_clock_to_look_after_the_queue_every_handshake_is_served()
    {
        // Nobody pumps but those who give slots back: a wake-up that is lost would leave somebody waiting for good.
        const int Slots = 2;
        var all = Endpoints.WithConnections(0, 0);
        var backend = new BackendState(1, Options(new HandshakeOptions { InFlightPerEndpoint = Slots, Queue = Attempts }, 0), [.. all]);
        Racers.Run(Threads, n =>
        {
            var random = new Random(n);
            var visitor = new Visitor();
            for (var i = 0; i < Attempts / Threads; i++)
            {
                if (backend.Queue.Enter(visitor.Place, (UInt128)n, 0) == QueueEntry.Waiting)
                    visitor.Wait();
                EndpointState? endpoint;
                while (!visitor.TryTake(backend, random, random.Next(3) == 0, out endpoint))
                    visitor.Wait();
                Assert.InRange(endpoint!.Handshakes, 1, Slots);
                endpoint.Release();
                backend.EndHandshake(endpoint, 0);
            }
        });
        AssertEmpty(backend, all);
    }

    [Fact]
    public void Whatever_threads_do_with_the_queue_it_is_empty_when_they_are_gone()
    {
        var all = Endpoints.WithConnections(0, 0, 0);
        HandshakeOptions[] choices =
        [
            new() { InFlightPerEndpoint = 2, Queue = 20 },
            new() { InFlightPerEndpoint = 1, Queue = 3 },
            new() { InFlightPerEndpoint = 0, RatePerSecond = 1_000, Burst = 5 },
            new() { InFlightPerEndpoint = 4, Queue = 0 },
        ];
        var backend = new BackendState(1, Options(choices[0], 0), [.. all]);
        var (change, served) = (0, 0);
        Racers.Run(
            Threads,
            n =>
            {
                var random = new Random(n);
                var visitors = Enumerable.Range(0, 6).Select(_ => new Visitor()).ToArray();
                for (var i = 0; i < Attempts / Threads; i++)
                {
                    var visitor = visitors[random.Next(visitors.Length)];
                    var now = Volatile.Read(ref change);
                    switch (visitor.Place.State)
                    {
                        case PlaceState.None when visitor.Endpoint is { } endpoint:
                            visitor.Endpoint = null;
                            endpoint.Release();
                            backend.EndHandshake(endpoint, now);
                            break;
                        case PlaceState.None:
                            _ = backend.Queue.Enter(visitor.Place, (UInt128)random.Next(4), now);
                            break;
                        case PlaceState.Granted:
                            if (visitor.TryTake(backend, random, random.Next(2) == 0, out _))
                                Interlocked.Increment(ref served);
                            break;
                        case PlaceState.Evicted:
                            backend.Queue.Leave(visitor.Place, now);
                            break;
                        default:
                            if (random.Next(4) == 0)
                                backend.Queue.Leave(visitor.Place, now);
                            else
                                backend.Queue.Pump(now);
                            break;
                    }
                }

                foreach (var visitor in visitors)
                {
                    visitor.Endpoint?.Release();
                    if (visitor.Endpoint is not null)
                        backend.EndHandshake(visitor.Endpoint, 0);
                    backend.Queue.Leave(visitor.Place, 0);
                }
            },
            () =>
            {
                var number = Interlocked.Increment(ref change);
                backend.Apply(Options(choices[number % choices.Length], 0), [.. all.AsSpan(0, 1 + (number % 3))], []);
                Assert.True(backend.Queue.Granted >= 0);
            });
        AssertEmpty(backend, all);
        Assert.NotEqual(0, served);
    }

    private static void AssertEmpty(BackendState backend, EndpointState[] all)
    {
        Assert.Equal((0, 0), (backend.Queue.Count, backend.Queue.Granted));
        Assert.All(all, static e => Assert.Equal((0, 0), (e.Connections, e.Handshakes)));
    }

    private static BackendOptions Options(HandshakeOptions handshakes, int connections) => new()
    {
        Name = "b",
        Endpoints = [],
        Handshakes = handshakes,
        Limits = new BackendLimits { ConnectionsPerEndpoint = connections },
        SlowStart = TimeSpan.Zero,
    };

    /// <summary>One handshake after the other, as the policy leads them.</summary>
    private sealed class Visitor
    {
        private readonly BlockingCollection<int> _resumed = [];

        public Visitor() => Place.Resume = _ => _resumed.Add(0);

        public QueuePlace Place { get; } = new();

        public EndpointState? Endpoint { get; set; }

        /// <summary>Until its place says that it may go on.</summary>
        public void Wait()
        {
            while (Place.State != PlaceState.Granted)
                Assert.True(_resumed.TryTake(out _, Patience), "it was forgotten: " + Place.State);
        }

        /// <summary>Uses its grant. False: it waits in line, or was turned away.</summary>
        public bool TryTake(BackendState backend, Random random, bool isKeyed, out EndpointState? endpoint)
        {
            var request = new PickRequest(random, 0, []) { Key = isKeyed ? new AffinityKey(0, (ulong)random.NextInt64()) : default };
            switch (backend.Reserve(in request, out endpoint, out _))
            {
                case Reservation.Taken:
                    backend.Queue.Use(Place);
                    Endpoint = endpoint;
                    return true;
                case Reservation.Busy:
                    _ = backend.Queue.LineUp(Place, endpoint, 0);
                    return false;
                default:
                    backend.Queue.Leave(Place, 0);
                    return false;
            }
        }
    }
}
