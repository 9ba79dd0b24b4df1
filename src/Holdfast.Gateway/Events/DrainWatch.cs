using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.EventLoop;

namespace Holdfast.Gateway.Events;

/// <summary>One drain of an endpoint under way, from its first cause until the endpoint is empty or the drain cancelled. Under its owner's lock.</summary>
internal sealed class DrainWatch
{
    /// <summary>How long loops may take to tell what they have counted. A loop that does not answer is stuck, or gone: what is known then has to do.</summary>
    private static readonly TimeSpan LongestFence = TimeSpan.FromSeconds(2);

    private readonly GatewayRuntime _runtime;
    private readonly EndpointDirectory _directory;
    private readonly BackendState _backend;
    private readonly EndpointLeavers _before;
    private readonly int _connections;
    private readonly long _startedAt;
    private readonly SortedSet<DrainCause> _causes = [];
    private Fence? _fence;

    public DrainWatch(GatewayRuntime runtime, EndpointDirectory directory, BackendState backend, EndpointState endpoint)
    {
        (_runtime, _directory, _backend, Endpoint) = (runtime, directory, backend, endpoint);
        _before = directory.LeaversOf(endpoint.Id);
        _connections = EndpointDirectory.Relayed(endpoint);
        _startedAt = runtime.Time.GetTimestamp();
    }

    public EndpointState Endpoint { get; }

    public void Add(DrainCause cause) => _causes.Add(cause);

    public GatewayEvent Started() => GatewayEvent.Of(new DrainStartedView(Now, _backend.Name, Endpoint.ToString(), Causes, _connections));

    public GatewayEvent Ended(bool isCancelled)
    {
        var now = _directory.LeaversOf(Endpoint.Id);
        return GatewayEvent.Of(new DrainEndedView(
            Now,
            _backend.Name,
            Endpoint.ToString(),
            isCancelled ? "cancelled" : "empty",
            Causes,
            (long)_runtime.Time.GetElapsedTime(_startedAt).TotalMilliseconds,
            _connections,
            now.Rehomed - _before.Rehomed,
            now.Drained - _before.Drained,
            now.Ended - _before.Ended,
            EndpointDirectory.Relayed(Endpoint)));
    }

    /// <summary>
    /// Whether no connection or request is left, and all that left are counted: a loop gives a connection's place back before it counts how it left. Asked now
    /// and then.
    /// </summary>
    public bool IsEmpty()
    {
        if (Endpoint.InUse > 0)
        {
            _fence = null;
            return false;
        }

        _fence ??= new Fence(_runtime.Loops, _runtime.Time.GetTimestamp());
        return _fence.IsPassed || _runtime.Time.GetElapsedTime(_fence.PostedAt) > LongestFence;
    }

    private string Now => UtcTime.Text(_runtime.Time.GetUtcNow());

    private List<string> Causes => [.. _causes.Select(TelemetryNames.Of)];

    /// <summary>Passed when every loop has ended the turn it was in.</summary>
    private sealed class Fence
    {
        private int _left;

        public Fence(IReadOnlyList<EventLoop> loops, long postedAt)
        {
            (_left, PostedAt) = (loops.Count, postedAt);
            foreach (var loop in loops)
                loop.Post(_ => Interlocked.Decrement(ref _left));
        }

        public long PostedAt { get; }

        public bool IsPassed => Volatile.Read(ref _left) == 0;
    }
}
