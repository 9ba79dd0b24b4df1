using System.Net;
using System.Security.Cryptography;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Interop;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Discovery;

/// <summary>
/// Keeps what names stand for up to date: the endpoints of backends with <c>dns</c>, and where endpoints listed by host name are dialled. The
/// last good answer stays in force whatever the name servers do. Thread-safe.
/// </summary>
internal sealed class EndpointDiscovery : IAsyncDisposable
{
    /// <summary>Of host names among listed endpoints: as the default of dns.interval.</summary>
    public static readonly TimeSpan HostInterval = TimeSpan.FromSeconds(5);

    /// <summary>How long a start, or a new configuration, waits for the first answers. Without them it goes on.</summary>
    public static readonly TimeSpan FirstAnswers = TimeSpan.FromSeconds(2);

    private readonly GatewayRuntime _runtime;
    private readonly INameResolver _resolver;
    private readonly Action<BackendState, LookupOutcome> _onLookup;
    private readonly ILogger _logger;
    private readonly Random _random;
    private readonly Dictionary<Key, Followed> _followed = [];
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _applying = new(1);

    /// <param name="onLookup">Told of every look-up, once for each backend that it was for. Any thread, one at a time.</param>
    public EndpointDiscovery(GatewayRuntime runtime, INameResolver resolver, Action<BackendState, LookupOutcome> onLookup, ILogger logger)
    {
        (_runtime, _resolver, _onLookup, _logger) = (runtime, resolver, onLookup, logger);
        _random = NewRandom();
    }

    /// <summary>
    /// Puts a configuration in force: its routes and backends, and the names to follow from now on. New names are asked for before, for at most
    /// <see cref="FirstAnswers"/>, so that a backend that moves to another name is not without endpoints meanwhile.
    /// </summary>
    public async Task ApplyAsync(GatewayConfiguration configuration, CancellationToken cancel)
    {
        await _applying.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            var wanted = NamesOf(configuration);
            var first = Follow(wanted);
            if (first.Count > 0)
                await WaitAsync(Task.WhenAll(first), cancel).ConfigureAwait(false);
            foreach (var watch in Switch(configuration, wanted))
                await watch.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            _applying.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Whoever applies was cancelled by now; nobody applies from here on.
        await _applying.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        NameWatch[] watches;
        lock (_gate)
        {
            watches = [.. _followed.Values.Select(f => f.Watch)];
            _followed.Clear();
        }

        await Task.WhenAll(watches.Select(w => w.DisposeAsync().AsTask())).ConfigureAwait(false);
    }

    /// <summary>Each backend's dns.name for itself, since intervals differ; each host among endpoints once.</summary>
    private static Dictionary<Key, TimeSpan> NamesOf(GatewayConfiguration configuration)
    {
        var names = new Dictionary<Key, TimeSpan>();
        foreach (var backend in configuration.Backends)
        {
            if (backend.Dns is { } dns)
                names[new Key(backend.Name, dns.Name)] = dns.Interval;
            foreach (var endpoint in backend.Endpoints.Where(e => e.Ip is null))
                names[new Key(null, endpoint.Host)] = HostInterval;
        }

        return names;
    }

    private List<Task> Follow(Dictionary<Key, TimeSpan> wanted)
    {
        var first = new List<Task>();
        lock (_gate)
        {
            foreach (var (key, interval) in wanted.Where(w => !_followed.ContainsKey(w.Key)))
            {
                var watch = new NameWatch(
                    key.Name, interval, _resolver, _runtime.Time, NewRandom(), (w, answer) => OnAnswer(key, w, answer), e => DiscoveryLog.Bug(_logger, e));
                _followed.Add(key, new Followed(watch, _runtime.Time.GetUtcNow()));
                first.Add(watch.First);
            }
        }

        return first;
    }

    private async Task WaitAsync(Task first, CancellationToken cancel)
    {
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        _ = await Task.WhenAny(first, Task.Delay(FirstAnswers, _runtime.Time, enough.Token)).ConfigureAwait(false);
        await enough.CancelAsync().ConfigureAwait(false);
        cancel.ThrowIfCancellationRequested();
    }

    /// <summary>Under the lock of the answers, so that none of an old name reaches a backend that has another. Returns what is no longer followed.</summary>
    private List<NameWatch> Switch(GatewayConfiguration configuration, Dictionary<Key, TimeSpan> wanted)
    {
        var left = new List<NameWatch>();
        lock (_gate)
        {
            _runtime.Apply(configuration);
            foreach (var (key, followed) in _followed.ToArray())
            {
                if (!wanted.TryGetValue(key, out var interval))
                {
                    _followed.Remove(key);
                    left.Add(followed.Watch);
                    continue;
                }

                followed.Watch.Interval = interval;
                // One that has just answered was asked for this configuration.
                if (followed.IsInForce)
                    followed.Watch.AskNow();
                followed.IsInForce = true;
                foreach (var backend in BackendsOf(key))
                    Commit(key, followed, backend, isNews: true);
            }

            foreach (var backend in _runtime.Backends.Where(b => b.Options.Dns is null))
                backend.Discovery = null;
        }

        return left;
    }

    private void OnAnswer(Key key, NameWatch watch, NameAnswer answer)
    {
        Followed? followed;
        IReadOnlyList<IPAddress> before;
        bool wasFailing;
        lock (_gate)
        {
            // It may have been taken out while it looked up.
            if (!_followed.TryGetValue(key, out followed) || followed.Watch != watch)
                return;
            (before, wasFailing) = (followed.LastGood.Addresses, followed.IsFailing);
            var isNews = followed.Take(answer, _runtime.Time.GetUtcNow());
            foreach (var backend in BackendsOf(key))
            {
                Commit(key, followed, backend, isNews);
                _onLookup(backend, answer.Outcome);
            }
        }

        Tell(key, answer, before, followed.LastGood.Addresses, wasFailing, watch.Interval);
    }

    private IEnumerable<BackendState> BackendsOf(Key key) => key.Backend is { } name
        ? _runtime.Backends.Where(b => b.Name == name && b.Options.Dns?.Name == key.Name)
        : _runtime.Backends.Where(b => b.Options.Dns is null && b.Options.Endpoints.Any(e => e.Ip is null && e.Host == key.Name));

    /// <param name="isNews">The addresses, or the backend, are others than at the last call.</param>
    private void Commit(Key key, Followed followed, BackendState backend, bool isNews)
    {
        var addresses = followed.LastGood.Addresses;
        if (backend.Options.Dns is { } dns)
        {
            if (isNews && addresses.Count > 0)
                _runtime.Discover(backend, [.. addresses.Select(a => new EndpointAddress(a.ToString(), dns.Port))]);
            backend.Discovery = followed.Status(key.Name);
            return;
        }

        foreach (var endpoint in backend.Endpoints)
        {
            if (endpoint.Address.Ip is null && endpoint.Address.Host == key.Name && addresses.Count > 0)
                endpoint.Resolved = Choose(endpoint, addresses);
        }
    }

    /// <summary>
    /// The address in use while it is good; the next one when handshakes there fail. At first any of IPv4's, which a dual-stack host surely has a
    /// way to, or else of IPv6's.
    /// </summary>
    private ResolvedAddress Choose(EndpointState endpoint, IReadOnlyList<IPAddress> addresses)
    {
        var failures = endpoint.FailuresInARow;
        if (endpoint.Resolved is { } current)
        {
            var ip = current.Address.ToEndPoint().Address;
            for (var i = 0; i < addresses.Count; i++)
            {
                if (!addresses[i].Equals(ip))
                    continue;
                if (failures > current.Failures)
                    return At(addresses[(i + 1) % addresses.Count]);
                return failures == current.Failures ? current : At(ip);
            }
        }

        var ofFirstFamily = addresses.TakeWhile(a => a.AddressFamily == addresses[0].AddressFamily).Count();
        return At(addresses[_random.Next(ofFirstFamily)]);

        ResolvedAddress At(IPAddress address) => new(NativeAddress.From(new IPEndPoint(address, endpoint.Address.Port)), failures);
    }

    private void Tell(Key key, NameAnswer answer, IReadOnlyList<IPAddress> before, IReadOnlyList<IPAddress> after, bool wasFailing, TimeSpan interval)
    {
        var fails = answer.Outcome != LookupOutcome.Good;
        if (key.Backend is not { } backend)
        {
            if (fails && !wasFailing)
                DiscoveryLog.HostFailing(_logger, key.Name, answer, after.Count, interval);
            else if (!fails && wasFailing)
                DiscoveryLog.HostKnown(_logger, key.Name, after.Count);
            return;
        }

        if (fails && !wasFailing && after.Count == 0)
            DiscoveryLog.NoneYet(_logger, backend, key.Name, answer, interval);
        else if (fails && !wasFailing)
            DiscoveryLog.Failing(_logger, backend, key.Name, answer, after.Count);
        else if (!fails && wasFailing && before.Count > 0)
            DiscoveryLog.Recovered(_logger, backend, answer.FullName, after.Count);
        if (!before.SequenceEqual(after))
            DiscoveryLog.Changed(_logger, backend, answer.FullName, after.Count, after.Except(before).Count(), before.Except(after).Count());
    }

    private static Random NewRandom() => new(RandomNumberGenerator.GetInt32(int.MaxValue));

    /// <param name="Backend">Null: a host among listed endpoints, whosever.</param>
    private readonly record struct Key(string? Backend, string Name);

    /// <summary>What is known of a name.</summary>
    private sealed class Followed(NameWatch watch, DateTimeOffset since)
    {
        private NameAnswer? _last;
        private DateTimeOffset? _lastGoodAt;
        private string? _fullName;
        private TimeSpan _timeToLive;

        public NameWatch Watch { get; } = watch;

        public LastGoodAnswer LastGood { get; } = new();

        public bool IsFailing => _last is { Outcome: not LookupOutcome.Good };

        /// <summary>A configuration in force names it.</summary>
        public bool IsInForce { get; set; }

        /// <summary>True: the addresses are others than before.</summary>
        public bool Take(NameAnswer answer, DateTimeOffset now)
        {
            _last = answer;
            if (answer.HasAddresses)
                (_fullName, _timeToLive) = (answer.FullName, answer.TimeToLive);
            if (answer.Outcome == LookupOutcome.Good)
                _lastGoodAt = now;
            return LastGood.Take(answer);
        }

        public DiscoveryStatus Status(string name) => new(name, _fullName, since, _lastGoodAt, _last?.Outcome, LastGood.Addresses.Count, _timeToLive);
    }
}
