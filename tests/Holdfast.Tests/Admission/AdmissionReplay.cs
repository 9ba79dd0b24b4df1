using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Affinity;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Admission;

/// <summary>
/// Handshakes of one backend that do what the gateway's policy makes them do, one random step after the other, beside plain books of who is where. After every step the books and the
/// backend's counts must agree.
/// </summary>
internal sealed class AdmissionReplay
{
    private static readonly NativeAddress[] Clients = [.. Enumerable.Range(1, 4).Select(static i => NativeAddress.From(new IPEndPoint(IPAddress.Parse("127.0.0." + i), 1)))];

    private readonly bool _hasAuth;
    private readonly BackendState _backend;
    private readonly List<Visitor> _visitors = [];
    private readonly List<EndpointState> _known = [];
    private readonly HashSet<AuthGate> _gates = [];
    private BackendOptions _options;
    private int _arrivals;
    private long _now = 1_000;
    private double _allowance;
    private int _firstGrants;

    public AdmissionReplay(bool hasAuth)
    {
        _hasAuth = hasAuth;
        _options = new BackendOptions { Name = "b", Endpoints = [], SlowStart = TimeSpan.Zero };
        _known.AddRange(Endpoints.WithConnections(0, 0, 0));
        _backend = new BackendState(1, _options, [.. _known]);
        Configure(new Random(1));
    }

    private enum Where
    {
        Queue,
        Asking,
        Dialling,
        Connected,
    }

    public bool Run(int[] history)
    {
        foreach (var step in history)
        {
            var random = new Random(step);
            Do(random);
            Compare();
            if (random.Next(2) == 0)
                Pump();
        }

        while (_visitors.Count > 0)
        {
            Leave(_visitors[^1]);
            Compare();
        }

        Assert.Equal((0, 0), (_backend.Queue.Count, _backend.Queue.Granted));
        Assert.All(_known, static e => Assert.Equal((0, 0), (e.Connections, e.Handshakes)));
        Assert.Equal((0, 0), (_backend.Counts.Addresses.Keys, _backend.Counts.Keys.Keys));
        return true;
    }

    private void Do(Random random)
    {
        switch (random.Next(16))
        {
            case < 5:
                Arrive(random);
                break;
            case < 8:
                if (Any(random, static v => v.IsGranted) is { } granted)
                    GoOn(granted, random);
                break;
            case 8:
                if (Any(random, static v => v.Where == Where.Asking) is { } asking)
                    Hear(asking, random);
                break;
            case 9 or 10:
                if (Any(random, static v => v.Where == Where.Dialling) is { } dialling)
                    EndDial(dialling, random);
                break;
            case 11:
                if (Any(random, static _ => true) is { } leaver)
                    Leave(leaver);
                break;
            case 12:
                ChangeEndpoint(random);
                break;
            case 13:
                Configure(random);
                break;
            default:
                var passed = random.Next(3) == 0 ? random.Next(3_000) : random.Next(20);
                _now += passed;
                _allowance += passed * _options.Handshakes.RatePerSecond / 1000.0;
                Pump();
                break;
        }
    }

    private void Arrive(Random random)
    {
        var visitor = new Visitor(_arrivals++, random);
        if (!_backend.Counts.TryClaimAddress(_options.Limits, visitor.Client, ref visitor.Claims))
        {
            Assert.True(OfAddress(visitor) >= _options.Limits.ConnectionsPerClientAddress);
            return;
        }

        _visitors.Add(visitor);
        if (_options.Limits.ConnectionsPerClientAddress is > 0 and var most)
            Assert.InRange(_backend.Counts.Addresses.Of(ClientKey.KeyOf(visitor.Client)), 1, most);
        if (_backend.IsFull())
        {
            Leave(visitor);
            return;
        }

        visitor.Place.Resume = _ => OnResume(visitor);
        var before = _backend.Queue.Count;
        switch (_backend.Queue.Enter(visitor.Place, ClientKey.KeyOf(visitor.Client), _now))
        {
            case QueueEntry.Granted:
                OnGranted(visitor);
                break;
            case QueueEntry.Waiting:
                Assert.InRange(_backend.Queue.Count, 1, Math.Max(before, _options.Handshakes.Queue));
                break;
            default:
                Assert.True(before >= _options.Handshakes.Queue);
                Leave(visitor);
                break;
        }

        RemoveEvicted();
    }

    /// <summary>Called under the queue's lock, as a loop's inbox is.</summary>
    private void OnResume(Visitor visitor)
    {
        if (visitor.Place.State == PlaceState.Granted)
            OnGranted(visitor);
        else
            Assert.Equal(PlaceState.Evicted, visitor.Place.State);
    }

    private void OnGranted(Visitor visitor)
    {
        Assert.True(_backend.FreeSlots() >= _backend.Queue.Granted, "more is granted than there is room for");
        if (visitor.HadItsTurn)
            return;
        visitor.HadItsTurn = true;
        _firstGrants++;
        // A key's own handshakes are served in the order in which they came.
        Assert.DoesNotContain(_visitors, v => v.Place.State == PlaceState.Waiting && v.Number < visitor.Number && v.Client.Equals(visitor.Client));
        if (_options.Handshakes.RatePerSecond > 0)
            Assert.True(_firstGrants <= _allowance + 1e-6, "the rate is passed");
    }

    /// <summary>It learns that it may go on.</summary>
    private void GoOn(Visitor visitor, Random random)
    {
        if (!visitor.HasClaimedKey && _backend.Queue.TakeGate(visitor.Place) is { } gate)
        {
            (visitor.Where, visitor.Gate) = (Where.Asking, gate);
            return;
        }

        Pick(visitor, random);
    }

    private void Hear(Visitor visitor, Random random)
    {
        visitor.Where = Where.Queue;
        ExitGate(visitor);
        if (random.Next(3) > 0)
            Pick(visitor, random);
        else
            Leave(visitor);
    }

    private void Pick(Visitor visitor, Random random)
    {
        if (!visitor.HasClaimedKey && _options.Limits.ConnectionsPerKey is { Max: > 0 } limit && !_backend.Counts.TryClaimKey(limit, visitor, ref visitor.Claims))
        {
            Assert.True(_backend.Counts.Keys.Of(visitor.KeyOf(limit)) >= limit.Max);
            Leave(visitor);
            return;
        }

        visitor.HasClaimedKey = true;
        switch (Reserve(visitor, random, isAhead: false, out var endpoint))
        {
            case Reservation.Taken:
                _backend.Queue.Use(visitor.Place);
                return;
            case Reservation.Busy:
                var before = _backend.Queue.Count;
                if (_backend.Queue.LineUp(visitor.Place, endpoint, _now))
                {
                    Assert.True(before < _options.Handshakes.Queue);
                    return;
                }

                Assert.Equal(PlaceState.None, visitor.Place.State);
                AssertNobodyWaitsInVain();
                break;
        }

        Leave(visitor);
    }

    private Reservation Reserve(Visitor visitor, Random random, bool isAhead, out EndpointState? endpoint)
    {
        var request = new PickRequest(random, _now, visitor.Tried.ToArray()) { IsAhead = isAhead, Key = visitor.Affinity };
        var reservation = _backend.Reserve(in request, out endpoint, out var trial);
        Assert.Equal(0, trial);
        if (reservation != Reservation.Taken)
            return reservation;
        (visitor.Where, visitor.Endpoint) = (Where.Dialling, endpoint);
        visitor.Tried.Add(endpoint!.Id);
        if (!isAhead && _options.Handshakes.InFlightPerEndpoint is > 0 and var slots)
            Assert.InRange(endpoint.Handshakes, 1, slots);
        if (_options.Limits.ConnectionsPerEndpoint is > 0 and var most)
            Assert.InRange(endpoint.Connections, 1, most);
        return reservation;
    }

    private void EndDial(Visitor visitor, Random random)
    {
        var endpoint = visitor.Endpoint!;
        if (random.Next(2) == 0)
        {
            visitor.Where = Where.Connected;
            _backend.EndHandshake(endpoint, _now);
            return;
        }

        // As a failed attempt that is tried elsewhere.
        endpoint.Release();
        (visitor.Where, visitor.Endpoint) = (Where.Queue, null);
        _backend.EndHandshake(endpoint, _now);
        if (visitor.Tried.Count == 3 || Reserve(visitor, random, isAhead: true, out _) != Reservation.Taken)
            Leave(visitor);
    }

    private void Leave(Visitor visitor)
    {
        _visitors.Remove(visitor);
        ExitGate(visitor);
        _backend.Counts.Release(in visitor.Claims, visitor.Client);
        visitor.Endpoint?.Release();
        if (visitor.Where == Where.Dialling)
            _backend.EndHandshake(visitor.Endpoint!, _now);
        _backend.Queue.Leave(visitor.Place, _now);
        _backend.Queue.Leave(visitor.Place, _now);
    }

    private void ChangeEndpoint(Random random)
    {
        var endpoints = _backend.Endpoints.ToArray();
        var i = random.Next(endpoints.Length);
        switch (random.Next(6))
        {
            case 0:
                endpoints[i].MarkDraining();
                break;
            case 1 or 2:
                endpoints[i].MarkReady(_now);
                break;
            case 3:
                endpoints[i].SetHealth(random.Next(3) == 0 ? EndpointHealth.Unhealthy : EndpointHealth.Healthy);
                break;
            case 4:
                endpoints[i].SetHealth(EndpointHealth.Healthy);
                break;
            default:
                // It is gone, and another one comes.
                endpoints[i].MarkGone();
                endpoints[i] = new EndpointState(_known.Count, new EndpointAddress("10.0.1." + _known.Count, 80));
                if (random.Next(2) == 0)
                    endpoints[i].MarkReady(_now);
                _known.Add(endpoints[i]);
                _backend.Apply(_options, endpoints, []);
                break;
        }
    }

    private void Configure(Random random)
    {
        var before = _options.Handshakes;
        _options = _options with
        {
            Limits = new BackendLimits
            {
                ConnectionsPerEndpoint = random.Next(2) * random.Next(1, 8),
                ConnectionsPerClientAddress = random.Next(2) * random.Next(1, 8),
                ConnectionsPerKey = random.Next(2) == 0 ? null : new KeyLimit("x-" + random.Next(2), random.Next(1, 6)),
            },
            Handshakes = new HandshakeOptions
            {
                InFlightPerEndpoint = random.Next(5),
                Queue = random.Next(12),
                RatePerSecond = random.Next(2) * random.Next(1, 200),
                Burst = random.Next(2) * random.Next(1, 8),
            },
            Auth = !_hasAuth || random.Next(4) == 0 ? null
                : new AuthOptions { Url = new Uri("http://127.0.0.1:1/"), MaxInFlight = random.Next(1, 5) },
        };
        _backend.Apply(_options, _backend.Endpoints.ToArray(), []);
        if (_backend.Auth is { } gate)
            _gates.Add(gate);
        var handshakes = _options.Handshakes;
        if ((handshakes.RatePerSecond, handshakes.Burst) != (before.RatePerSecond, before.Burst))
            (_allowance, _firstGrants) = (handshakes.Burst == 0 ? handshakes.RatePerSecond : handshakes.Burst, 0);
    }

    private void Pump()
    {
        _backend.Queue.Pump(_now);
        Compare();
        AssertNobodyWaitsInVain();
    }

    /// <summary>Who waits, waits for something.</summary>
    private void AssertNobodyWaitsInVain()
    {
        if (_backend.FreeSlots() is var slots && slots != int.MaxValue && slots <= _backend.Queue.Granted)
            return;
        Assert.DoesNotContain(_visitors, v => v.Place is { State: PlaceState.InLine, Line: { } line } && (line.Endpoint is not { } bound || _backend.SlotsAt(bound) > line.Granted));
        var hasRate = _options.Handshakes.RatePerSecond > 0;
        var isAuthBusy = _backend.Auth is { } gate && gate.InFlight == gate.Options.MaxInFlight;
        if (!hasRate && !isAuthBusy)
            Assert.DoesNotContain(_visitors, static v => v.Place.State == PlaceState.Waiting);
        // However the rate was spent: a bucket is full after a while.
        if (!hasRate || isAuthBusy || !_visitors.Exists(static v => v.Place.State == PlaceState.Waiting))
            return;
        var granted = _firstGrants;
        var second = 1 + (1000 / _options.Handshakes.RatePerSecond);
        _now += second;
        _allowance += second * _options.Handshakes.RatePerSecond / 1000.0;
        _backend.Queue.Pump(_now);
        Assert.True(_firstGrants > granted, "the rate allows one, and there is room, and somebody waits");
    }

    private void Compare()
    {
        RemoveEvicted();
        Assert.Equal(_visitors.Count(static v => v.Place.State is PlaceState.Waiting or PlaceState.InLine), _backend.Queue.Count);
        Assert.Equal(_visitors.Count(static v => v.Place.State == PlaceState.Granted), _backend.Queue.Granted);
        foreach (var endpoint in _known)
        {
            var here = _visitors.Where(v => v.Endpoint == endpoint).ToList();
            Assert.Equal((here.Count, here.Count(static v => v.Where == Where.Dialling)), (endpoint.Connections, endpoint.Handshakes));
        }

        foreach (var visitor in _visitors)
        {
            Assert.Equal(visitor.Where is Where.Dialling or Where.Connected, visitor.Place.State == PlaceState.None);
            Assert.Equal(OfAddress(visitor), _backend.Counts.Addresses.Of(ClientKey.KeyOf(visitor.Client)));
        }

        foreach (var key in _visitors.Where(static v => (v.Claims.Kinds & 2) != 0).GroupBy(static v => v.Claims.Key))
            Assert.Equal(key.Count(), _backend.Counts.Keys.Of(key.Key));
        foreach (var gate in _gates)
        {
            Assert.Equal(_visitors.Count(v => v.Gate == gate || v.Place.Gate == gate), gate.InFlight);
            Assert.InRange(gate.InFlight, 0, gate.Options.MaxInFlight);
        }
    }

    /// <summary>Who lost its place is told, and leaves.</summary>
    private void RemoveEvicted()
    {
        foreach (var evicted in _visitors.FindAll(static v => v.Place.State == PlaceState.Evicted))
            Leave(evicted);
    }

    private int OfAddress(Visitor visitor) => _visitors.Count(v => (v.Claims.Kinds & 1) != 0 && v.Client.Equals(visitor.Client));

    private static void ExitGate(Visitor visitor)
    {
        visitor.Gate?.Exit();
        visitor.Gate = null;
    }

    private Visitor? Any(Random random, Predicate<Visitor> which) => _visitors.FindAll(which) is { Count: > 0 } found ? found[random.Next(found.Count)] : null;

    /// <summary>One client's handshake, and then its connection.</summary>
    private sealed class Visitor(int number, Random random) : IHeaderLookup
    {
        private readonly byte[] _value = [(byte)('a' + random.Next(3))];

        public PairClaims Claims;

        public int Number { get; } = number;

        public NativeAddress Client { get; } = Clients[random.Next(Clients.Length)];

        /// <summary>Half of them are bound to an endpoint, by what a hash says.</summary>
        public AffinityKey Affinity { get; } = random.Next(2) == 0 ? AffinityKey.None : new AffinityKey(0, (ulong)random.NextInt64());

        public QueuePlace Place { get; } = new();

        public Where Where { get; set; }

        public EndpointState? Endpoint { get; set; }

        public AuthGate? Gate { get; set; }

        public List<int> Tried { get; } = [];

        public bool HadItsTurn { get; set; }

        public bool HasClaimedKey { get; set; }

        public bool IsGranted => Where == Where.Queue && Place.State == PlaceState.Granted;

        public UInt128 KeyOf(KeyLimit limit) => HeaderKey.Of(this, limit.Header);

        public int Count(ReadOnlySpan<byte> name) => 1;

        public bool TryGet(ReadOnlySpan<byte> name, int index, out ReadOnlySpan<byte> value)
        {
            value = _value;
            return index == 0;
        }
    }
}
