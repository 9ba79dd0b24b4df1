using System.Net;
using System.Text.Json;
using Holdfast.Cli.Load;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Crowds;

/// <summary>What became of one handshake of a storm. Times in microseconds of the system's monotonic clock; 0: never.</summary>
/// <param name="Address">Which of the plan's, from 0.</param>
/// <param name="Outcome">"101", or what else came.</param>
internal sealed record StormHandshake(int Address, long DialedAt, long SentAt, long DecidedAt, string Outcome);

/// <summary>
/// A storm in a process of its own: all clients dial at once, address by address, so that a gateway that serves them as they come would serve the first addresses first. Orders: "go" (answered
/// with "done" when all are decided), "report" (answered with <see cref="StormHandshake"/>s), "end" (answered with how many lost their connection after the 101; then all close).
/// </summary>
internal sealed class StormCrowd : IDisposable
{
    private const ulong OrdersToken = ulong.MaxValue;
    private const int DialsPerTurn = 128;

    private readonly Epoll _epoll = new(512);
    private readonly Orders _orders;
    private readonly NativeAddress _target;
    private readonly ClientHandshake _handshake;
    private readonly StormClient[] _clients;
    private readonly TimeSpan _patience;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);
    private long _goneAt;
    private int _dialed = int.MaxValue;
    private int _undecided;

    private StormCrowd(int port, CrowdPlan plan, TimeSpan patience)
    {
        _orders = new Orders(_epoll, OrdersToken);
        _target = NativeAddress.From(new IPEndPoint(IPAddress.Loopback, port));
        _handshake = new ClientHandshake(new Uri($"ws://127.0.0.1:{port}/echo"), null, []);
        _clients = [.. plan.PerAddress.SelectMany((count, address) => Enumerable.Range(0, count).Select(_ => new StormClient(address)))];
        _patience = patience;
    }

    public static int Run(int port, CrowdPlan plan, TimeSpan patience)
    {
        using var crowd = new StormCrowd(port, plan, patience);
        Console.WriteLine("ready");
        crowd.Loop();
        return 0;
    }

    public void Dispose()
    {
        _orders.Dispose();
        _epoll.Dispose();
    }

    private void Loop()
    {
        while (true)
        {
            var n = _epoll.Wait(Step());
            for (var i = 0; i < n; i++)
            {
                var events = _epoll.Get(i, out var token);
                if (token != OrdersToken)
                    OnEvents(_clients[(int)token], events);
                else if (!Obey())
                    return;
            }
        }
    }

    private void OnEvents(StormClient client, EpollEvents events)
    {
        var wasUndecided = client.Outcome is null;
        client.OnEvents(events, _handshake, _buffer);
        if (wasUndecided && client.Outcome is not null)
            OnDecided();
    }

    private void OnDecided()
    {
        if (--_undecided == 0)
            Console.WriteLine("done");
    }

    private int Step()
    {
        for (var i = 0; i < DialsPerTurn && _dialed < _clients.Length; i++, _dialed++)
        {
            _clients[_dialed].Dial(_epoll, (ulong)_dialed, _target);
            if (_clients[_dialed].Outcome is not null)
                OnDecided();
        }

        if (_dialed < _clients.Length)
            return 0;
        if (_undecided == 0)
            return -1;
        var rest = _patience - TimeProvider.System.GetElapsedTime(_goneAt);
        if (rest > TimeSpan.Zero)
            return (int)rest.TotalMilliseconds + 1;
        foreach (var client in _clients.Where(c => c.Outcome is null))
        {
            client.GiveUp();
            OnDecided();
        }

        return -1;
    }

    private bool Obey()
    {
        while (_orders.TryTake(out var order))
        {
            switch (order)
            {
                case null:
                    return false;
                case "go":
                    _goneAt = TimeProvider.System.GetTimestamp();
                    _undecided = _clients.Length;
                    _dialed = 0;
                    break;
                case "report":
                    Console.WriteLine(JsonSerializer.Serialize(_clients.Select(c => new StormHandshake(c.Address, c.DialedAt, c.SentAt, c.DecidedAt, c.Outcome ?? ""))));
                    break;
                default:
                    Console.WriteLine(_clients.Count(c => c.IsLost));
                    Array.ForEach(_clients, c => c.Drop());
                    break;
            }
        }

        return true;
    }
}
