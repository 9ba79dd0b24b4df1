using System.Collections.Concurrent;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Tls;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>
/// Connections to endpoints that wait for their next request. The one used last is used first, so that a burst's others age and go. Thread-safe.
/// </summary>
internal sealed class UpstreamPool : IDisposable
{
    /// <summary>
    /// Idle connections of all endpoints together: some 20 MB of live objects, which collections walk. There is no bound for one endpoint: with fewer kept than there are requests at
    /// once, the rest open a connection each (measured: bench/README.md).
    /// </summary>
    public const int MostIdle = 4096;

    /// <summary>How long one may wait for its next request: Node closes after 5 s, and a request that is written to a connection just then is lost.</summary>
    public static readonly TimeSpan UsualIdle = TimeSpan.FromSeconds(4);

    /// <summary>The longest, whatever an endpoint says of itself.</summary>
    public static readonly TimeSpan LongestIdle = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);

    private readonly GatewayRuntime _runtime;
    private readonly ConcurrentDictionary<int, Stack> _byEndpoint = new();
    private readonly ITimer _timer;
    private int _count;
    private volatile bool _isDisposed;

    public UpstreamPool(GatewayRuntime runtime)
    {
        _runtime = runtime;
        _timer = runtime.Time.CreateTimer(static state => ((UpstreamPool)state!).Sweep(), this, SweepInterval, SweepInterval);
    }

    /// <summary>Connections that wait.</summary>
    public int Count => Volatile.Read(ref _count);

    private long Now => _runtime.Time.GetTimestamp();

    /// <summary>An idle connection that is fit for use, or null.</summary>
    public UpstreamConnection? TryRent(EndpointState endpoint, in NativeAddress address, UpstreamTls? tls)
    {
        if (!_byEndpoint.TryGetValue(endpoint.Id, out var stack))
            return null;
        var isInService = IsInService(endpoint);
        var now = Now;
        while (Pop(stack) is { } connection)
        {
            if (isInService && now < connection.IdleUntil && !connection.IsReadable && connection.Address == address && ReferenceEquals(connection.Tls, tls))
                return connection;
            connection.Dispose();
        }

        return null;
    }

    /// <summary>Takes a connection after a whole exchange.</summary>
    /// <param name="idle">How long it may wait.</param>
    public void Return(UpstreamConnection connection, TimeSpan idle)
    {
        var stack = _byEndpoint.GetOrAdd(connection.Endpoint.Id, static _ => new Stack());
        if (idle > TimeSpan.Zero && IsInService(connection.Endpoint) && HasRoom && connection.TryRest())
        {
            connection.IdleUntil = Now + (long)(Math.Min(idle.TotalSeconds, LongestIdle.TotalSeconds) * _runtime.Time.TimestampFrequency);
            lock (stack)
            {
                if (!_isDisposed)
                {
                    stack.Connections.Add(connection);
                    Interlocked.Increment(ref _count);
                    return;
                }
            }
        }

        connection.Dispose();
    }

    /// <summary>The endpoint failed: what else is open to it is not worth a request.</summary>
    public void Drop(EndpointState endpoint)
    {
        if (!_byEndpoint.TryGetValue(endpoint.Id, out var stack))
            return;
        while (Pop(stack) is { } connection)
            connection.Dispose();
    }

    public void Dispose()
    {
        _isDisposed = true;
        _timer.Dispose();
        foreach (var stack in _byEndpoint.Values)
        {
            while (Pop(stack) is { } connection)
                connection.Dispose();
        }
    }

    /// <summary>Each keeps a descriptor that a client could have: where places run out, none is kept for nobody.</summary>
    private bool HasRoom => Count < Math.Min(MostIdle, Math.Min(_runtime.UsableConnections / 4, _runtime.UsableConnections - _runtime.Admitted));

    private static bool IsInService(EndpointState endpoint) => endpoint.Phase == EndpointPhase.Ready && endpoint.Health == EndpointHealth.Healthy;

    private UpstreamConnection? Pop(Stack stack)
    {
        lock (stack)
        {
            if (stack.Connections.Count == 0)
                return null;
            var connection = stack.Connections[^1];
            stack.Connections.RemoveAt(stack.Connections.Count - 1);
            Interlocked.Decrement(ref _count);
            return connection;
        }
    }

    private void Sweep()
    {
        var now = Now;
        var isFull = !HasRoom;
        foreach (var (id, stack) in _byEndpoint)
        {
            var isInService = IsInService(_runtime.EndpointOf(id));
            List<UpstreamConnection>? gone = null;
            lock (stack)
            {
                var removed = stack.Connections.RemoveAll(connection =>
                {
                    if (isInService && !isFull && now < connection.IdleUntil && !connection.HasEnded)
                        return false;
                    (gone ??= []).Add(connection);
                    return true;
                });
                Interlocked.Add(ref _count, -removed);
            }

            gone?.ForEach(static c => c.Dispose());
            if (_runtime.EndpointOf(id).Phase == EndpointPhase.Gone)
                _byEndpoint.TryRemove(id, out _);
        }
    }

    private sealed class Stack
    {
        public List<UpstreamConnection> Connections { get; } = [];
    }
}
