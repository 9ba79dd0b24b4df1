using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Relay.EventLoop;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Testing;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Tests;

/// <summary>
/// A short life of a few held connections, all of it decided by one seed but for what the loop's thread gets done between two turns. Planned: endpoints
/// keep the rules, and only drains happen. Otherwise anything does.
/// </summary>
internal sealed partial class HeldHistory
{
    private const int Endpoints = 3;
    private readonly RelayHarness _harness;
    private readonly TestRehomePolicy _rehomes;
    private readonly Random _random;
    private readonly int _seed;
    private readonly List<Endpoint> _endpoints = [];
    private readonly List<Client> _clients = [];
    private readonly List<Served> _served = [];
    private readonly HoldMemory _memory;
    private readonly int _rehomesBefore;
    private int _turn;
    private bool _isRunning;
    private bool _anySilence;

    /// <param name="firstId">Of its endpoints.</param>
    public HeldHistory(RelayHarness harness, TestRehomePolicy rehomes, int seed, int firstId)
    {
        (_harness, _rehomes, _seed) = (harness, rehomes, seed);
        _random = new Random(seed);
        _rehomesBefore = rehomes.Ends.Count;
        IsPlanned = _random.Next(2) == 0;
        _memory = new HoldMemory(Pick(4096, 1 << 20));
        for (var i = 0; i < Endpoints; i++)
            _endpoints.Add(new Endpoint(firstId + i, IsPlanned ? 0 : Pick(0, 4096)));
    }

    private bool IsPlanned { get; }

    public void Run()
    {
        try
        {
            Open();
            for (var steps = _random.Next(30, 120); steps > 0; steps--)
            {
                Happen();
                Turn(all: false);
                if (_random.Next(3) == 0)
                    _harness.Advance(_random.Next(1, IsPlanned ? 60 : 150));
            }

            Settle();
            Finish();
        }
        catch (InvalidDataException e)
        {
            Check(false, e.Message);
        }
        finally
        {
            foreach (var peer in _served)
                peer.End();
            foreach (var client in _clients)
                client.End();
            foreach (var endpoint in _endpoints)
            {
                _rehomes.Remove(endpoint.Id);
                endpoint.Listener.Dispose();
            }
        }
    }

    private void Open()
    {
        foreach (var endpoint in _endpoints)
            _rehomes.Add(endpoint.Id, endpoint.Listener);
        var isAlive = _random.Next(2) == 0;
        _harness.Policy.Hold = new HoldSettings
        {
            Quiet = _random.Next(1, 100),
            QuietMax = IsPlanned ? 60_000 : _random.Next(100, 400),
            Fence = _random.Next(1, 100),
            Buffer = Pick(1000, 20_000, 256 * 1024),
            Patience = IsPlanned ? 60_000 : _random.Next(300, 3000),
            RatePerSecond = Pick(20, 1000),
            Memory = _memory,
        };
        _harness.Policy.ConnectTimeout = _harness.Policy.HandshakeTimeout = IsPlanned ? 10_000 : 400;
        // The kernel's own delays with small buffers are real time, in which much of the history's passes: any peer may seem stalled then.
        var isTight = !IsPlanned && _random.Next(2) == 0;
        _harness.Policy.Established = handshake =>
        {
            ref var pair = ref _harness.Loop.Core.Pairs[handshake.PairIndex];
            if (!isTight)
                return;
            Sys.SetBuffers(pair.Down.Fd, 0, 1);
            Sys.SetBuffers(pair.Up.Fd, 0, 1);
        };
        for (var i = _random.Next(1, 4); i > 0; i--)
        {
            var endpoint = _endpoints[_random.Next(Endpoints)];
            _harness.Policy.Target = _ => (IPEndPoint)endpoint.Listener.LocalEndPoint!;
            _harness.Policy.Settings = new PairSettings
            {
                EndpointId = endpoint.Id,
                SpillCap = Pick(3000, 1 << 20),
                PingInterval = isAlive ? 300 : 0,
                PongTimeout = isAlive ? (IsPlanned ? 3000 : 400) : 0,
            };
            _rehomes.Take(endpoint.Id);
            var socket = _harness.Connect(IsPlanned ? 0 : Pick(0, 4096)).Socket;
            socket.Send(System.Text.Encoding.ASCII.GetBytes(
                RelayHarness.Request[..^2] + FormattableString.Invariant($"X-Client: {_clients.Count}\r\n\r\n")));
            var client = new Client(this, socket, _clients.Count);
            _clients.Add(client);
            var accepted = RawPeer.Accept(endpoint.Listener).Socket;
            accepted.Blocking = false;
            var served = new Served(this, accepted, endpoint);
            _served.Add(served);
            var start = TimeProvider.System.GetTimestamp();
            while (!served.IsOpen)
            {
                served.Take();
                Check(TimeProvider.System.GetElapsedTime(start) < RawPeer.Patience, "no request comes");
            }

            served.Send(_random, all: true);
            Check(new RawPeer(socket).ReceiveHead() == RelayHarness.Switching, "the answer is another");
            socket.Blocking = false;
        }

        _isRunning = true;
    }

    private void Happen()
    {
        var client = _clients[_random.Next(_clients.Count)];
        switch (_random.Next(IsPlanned ? 20 : 28))
        {
            case < 9:
                client.SayMessage(_random);
                break;
            case < 12:
                client.SayPing();
                break;
            case 12 or 13:
                Drain(_endpoints[_random.Next(Endpoints)]);
                break;
            case 14:
                Return(_endpoints[_random.Next(Endpoints)]);
                break;
            case 15 when AnyServed() is { } asking:
                asking.SayPing();
                break;
            case 16 when IsPlanned && AnyServed() is { } slow:
                slow.Pause(_random.Next(1, 6));
                break;
            case 17:
                client.Pause(_random.Next(1, 6));
                break;
            case 20 or 21 when AnyServed() is { } closing:
                closing.CloseLater(Pick(1001, 1012, 1013, 1014), _random.Next(3));
                break;
            case 22 when AnyServed() is { } lost:
                lost.Reset();
                break;
            case 23 when AnyServed() is { } ended:
                ended.End();
                break;
            case 24 when _random.Next(3) == 0 && AnyServed() is { } deaf:
                deaf.Deafen();
                break;
            case 25 when AnyServed() is { } silent:
                silent.IsSilent = _anySilence = true;
                break;
            case 26:
                _endpoints[_random.Next(Endpoints)].Manner = (Manner)_random.Next((int)Manner.CloseAtOnce + 1);
                break;
            case 27:
                _endpoints[_random.Next(Endpoints)].Manner = Manner.Serve;
                break;
        }
    }

    private Served? AnyServed()
    {
        var open = _served.Where(s => s.IsOpen).ToList();
        return open.Count == 0 ? null : open[_random.Next(open.Count)];
    }

    private void Drain(Endpoint endpoint)
    {
        if (IsPlanned && _endpoints.Count(e => !e.IsLeaving) == 1)
            return;
        endpoint.IsLeaving = true;
        _rehomes.SetLeaving(endpoint.Id, true);
        var duration = _random.Next(200);
        _ = _harness.OnLoop(l =>
        {
            l.Drain(endpoint.Id, new DrainPlan(l.Core.Now, duration, CloseCode.ServiceRestart));
            return 0;
        });
    }

    private void Return(Endpoint endpoint)
    {
        endpoint.IsLeaving = false;
        _rehomes.SetLeaving(endpoint.Id, false);
        _ = _harness.OnLoop(l =>
        {
            l.CancelDrain(endpoint.Id);
            return 0;
        });
    }

    /// <summary>Everyone does what is due. What an older connection was sent came before what a younger one was, so the younger are taken first and heard last.</summary>
    private void Turn(bool all)
    {
        _turn++;
        foreach (var endpoint in _endpoints)
        {
            while (endpoint.Listener.Poll(0, SelectMode.SelectRead))
            {
                var socket = endpoint.Listener.Accept();
                (socket.Blocking, socket.NoDelay) = (false, true);
                _served.Add(new Served(this, socket, endpoint));
            }
        }

        for (var i = _served.Count - 1; i >= 0; i--)
        {
            if (!_served[i].IsDeaf)
                _served[i].Take();
        }

        foreach (var served in _served)
        {
            served.Hear();
            served.Act();
            served.Send(_random, all);
            if (served.IsEnded)
                served.End();
        }

        foreach (var client in _clients)
        {
            if (!client.IsPaused)
                client.Take();
            client.Hear();
            client.Send(_random, all);
        }
    }

    /// <summary>No more is said, every endpoint is well: what is under way arrives, and is compared.</summary>
    private void Settle()
    {
        foreach (var endpoint in _endpoints)
        {
            endpoint.Manner = Manner.Serve;
            Return(endpoint);
        }

        foreach (var client in _clients)
            client.Pause(0);
        foreach (var served in _served)
        {
            served.Pause(0);
            served.IsSilent = false;
            if (served.IsDeafForGood)
                served.Reset();
        }

        var start = TimeProvider.System.GetTimestamp();
        while (!IsSettled())
        {
            Check(TimeProvider.System.GetElapsedTime(start) < RawPeer.Patience, "messages or pongs are held up");
            Turn(all: true);
            _harness.Advance(20);
        }

        for (var i = 0; i < 3; i++)
        {
            Turn(all: true);
            _ = _harness.OnLoop(_ => 0);
        }

        Turn(all: true);
        foreach (var client in _clients)
        {
            Check(!IsPlanned || client.IsOpen, "a client was disconnected: " + string.Join(", ", _harness.Policy.Ends.Select(e => e.Reason)));
            if (!client.IsOpen)
                continue;
            var unknown = ViewOf(client).Unknown;
            var lost = client.Sent - client.Delivered;
            Check(lost <= unknown, FormattableString.Invariant($"{lost} messages are lost, {unknown} are unknown"));
            Check(!IsPlanned || (lost, unknown) == (0, 0), FormattableString.Invariant($"planned re-homes: {lost} messages are lost, {unknown} are unknown"));
        }
    }

    private bool IsSettled() => _clients.TrueForAll(client =>
    {
        if (!client.IsOpen)
            return true;
        var view = ViewOf(client);
        return client.IsSent && (_anySilence || client.IsAnswered) && view.BytesFromClient == client.BytesSent && !view.IsHeld && view.WaitingForEndpoint == 0 && view.WaitingForClient == 0;
    });

    private PairView ViewOf(Client client) => _harness.OnLoop(l =>
    {
        var views = new PairView[16];
        _ = l.Snapshot(0, views, out var count);
        return views.Take(count).FirstOrDefault(v => v.Client.ToEndPoint().Port == client.Port);
    });

    /// <summary>The clients leave, each in its way; nothing is left of them.</summary>
    private void Finish()
    {
        foreach (var client in _clients)
        {
            if (client.IsEnded)
                continue;
            switch (_random.Next(3))
            {
                case 0:
                    client.Reset();
                    break;
                case 1:
                    client.End();
                    break;
                default:
                    client.SayClose(1000);
                    break;
            }
        }

        for (var rest = 4000; _harness.OnLoop(l => l.Core.Pairs.Count) > 0; rest--)
        {
            Check(rest > 0, "a pair never ends");
            Turn(all: true);
            _harness.Advance(20);
        }

        for (var i = 0; i < _clients.Count; i++)
        {
            var end = _harness.WaitForEnd();
            _rehomes.Release(end.EndpointId);
            var isExpected = end.Reason is EndReason.DownstreamClose or EndReason.DownstreamEof or EndReason.DownstreamReset
                || (!IsPlanned && end.Reason is EndReason.TornMessage or EndReason.RehomeRefused or EndReason.HoldExpired
                    or EndReason.DownstreamDead or EndReason.DownstreamStalled);
            Check(isExpected, "a connection ended with " + end.Reason);
        }

        Check(_harness.Policy.Ends.Count == 0, "a pair ended twice");
        Check(_memory.Used == 0, FormattableString.Invariant($"{_memory.Used} bytes are counted for nobody"));
        foreach (var end in _rehomes.Ends.Skip(_rehomesBefore))
        {
            var isExpected = end is { Cause: RehomeCause.Planned, Outcome: RehomeOutcome.Completed or RehomeOutcome.ClientGone };
            Check(!IsPlanned || isExpected, FormattableString.Invariant($"a planned re-home became {end.Cause}, {end.Outcome}"));
        }

        Check(_rehomes.Bugs.Count == 0, "a bug was told of");
        foreach (var (endpoint, places) in _rehomes.Places)
            Check(places == 0, FormattableString.Invariant($"endpoint {endpoint} has {places} places too many"));
    }

    private int Pick(params ReadOnlySpan<int> values) => values[_random.Next(values.Length)];

    private void Check(bool isRight, string what) =>
        Assert.True(isRight, isRight ? "" : what + " (" + (IsPlanned ? "planned" : "anything") + ", seed " + _seed.ToString(CultureInfo.InvariantCulture) + ")");
}
