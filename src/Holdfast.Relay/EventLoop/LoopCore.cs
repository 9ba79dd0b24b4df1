using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Relay.Timers;

namespace Holdfast.Relay.EventLoop;

/// <summary>What the parts of one loop share. Touched by that loop's thread only, but for what says otherwise.</summary>
internal sealed class LoopCore : IDisposable
{
    /// <summary>Bytes read from a socket at once. 64 KiB takes a 16 KiB message whole and stays in the second-level cache.</summary>
    public const int ReadSize = 64 * 1024;

    /// <summary>Room before the read bytes, where held bytes are put back in front of them.</summary>
    public const int Headroom = 256;

    /// <summary>In the data of <see cref="Epoll"/>: there are events of <see cref="Newcomers"/>. Even and without a generation, as no listener's or pair's.</summary>
    public const ulong NewcomersToken = 2;

    // A turn's share of work for those who have no pair yet: about 0.2 ms, which is what established ones may wait for them.
    private const int NewcomersPerTurn = 4;

    private const EpollEvents All = EpollEvents.In | EpollEvents.Out | EpollEvents.ReadHangUp | EpollEvents.EdgeTriggered;

    private readonly Queue<ulong> _ready = new();

    // By descriptor: a re-home moves legs between pairs. Touched when a linked leg comes, ends or goes, not when bytes move.
    private readonly Dictionary<int, SocketLink> _links = [];
    private EndpointTraffic[] _traffic = new EndpointTraffic[64];
    private int _lastGeneration;
    private int _established;

    public LoopCore(LoopClock clock, int capacity)
    {
        Clock = clock;
        Now = clock.Milliseconds;
        Pairs = new NativeSlab<Pair>(capacity);
        Timers = new TimerWheel(Pairs, Now);
        _ = Epoll.Register(Newcomers, NewcomersToken);
    }

    public LoopClock Clock { get; }

    /// <summary>Sockets whose number is from here on are not kept: the rest of the process needs descriptors too. The kernel gives the lowest free number.</summary>
    public int DescriptorCap { get; set; } = int.MaxValue;

    /// <summary>The loop's time: read once per wake-up.</summary>
    public long Now { get; set; }

    public Epoll Epoll { get; } = new(256);

    /// <summary>Clients' sockets before their 101. Apart from the others, since the kernel tells of sockets in the order of their events: thousands of newcomers would be told before one message.</summary>
    public Epoll Newcomers { get; } = new(NewcomersPerTurn);

    public LoopRandom Random { get; } = new();

    public NativeSlab<Pair> Pairs { get; }

    public TimerWheel Timers { get; }

    /// <summary>The drains in force.</summary>
    public LoopDrains Drains { get; } = new();

    public ReturnPacing Returns { get; } = new();

    /// <summary>The one read buffer of the loop; its content is valid until the next read.</summary>
    public byte[] Buffer { get; } = GC.AllocateUninitializedArray<byte>(Headroom + ReadSize, pinned: true);

    /// <summary>Established pairs; any thread may read it.</summary>
    public int Established => Volatile.Read(ref _established);

    /// <summary>By endpoint id. Any thread may read what it finds there; the loop alone writes and grows it.</summary>
    public EndpointTraffic[] Traffic => Volatile.Read(ref _traffic);

    /// <summary>Legs with more to read whose turn was over: (generation, index, side) as in epoll's data.</summary>
    public Queue<ulong> Ready => _ready;

    public static ulong Token(int generation, int index, Side side) => ((ulong)(uint)generation << 32) | ((uint)index << 1) | (uint)side;

    /// <summary>A zeroed pair with no sockets, or -1 when the table is full.</summary>
    public int Rent()
    {
        var index = Pairs.Rent();
        if (index < 0)
            return -1;
        ref var pair = ref Pairs[index];
        pair.Down.Fd = pair.Up.Fd = -1;
        pair.HandshakeIndex = -1;
        // 0 marks what is no pair in epoll's data; a stale event never fits a later pair in the same place.
        pair.Generation = _lastGeneration = _lastGeneration == int.MaxValue ? 1 : _lastGeneration + 1;
        return index;
    }

    /// <summary>Closes what sockets it still has, in order or with RST, and forgets the pair.</summary>
    public void Free(int index, bool abort = false)
    {
        ref var pair = ref Pairs[index];
        Timers.Disarm(index);
        for (var side = 0; side < 2; side++)
        {
            ref var leg = ref pair.Legs[side];
            Close(ref leg, abort);
            leg.Spill.Release();
            leg.Held.Release();
        }

        pair.State = PairState.Free;
        pair.Generation = 0;
        Pairs.Return(index);
    }

    /// <summary>A leg is the end of a socket pair from here on; its descriptor is set.</summary>
    public void Link(ref Leg leg, SocketLink link)
    {
        leg.Flags |= LegFlags.Linked;
        _links.Add(leg.Fd, link);
    }

    /// <summary>What stands behind a leg that is <see cref="LegFlags.Linked"/>.</summary>
    public SocketLink LinkOf(in Leg leg) => _links[leg.Fd];

    /// <summary>Sends FIN to a leg; the other direction stays open.</summary>
    public void ShutdownWrite(ref Leg leg)
    {
        if (leg.Has(LegFlags.Linked))
            LinkOf(in leg).IsPeerDone = (leg.Flags & (LegFlags.CloseReceived | LegFlags.ReadDone)) != 0;
        Sys.ShutdownWrite(leg.Fd);
    }

    /// <summary>The one place where a leg loses its socket, if it has one: in order, or with RST.</summary>
    public void Close(ref Leg leg, bool abort)
    {
        if (leg.Fd < 0)
            return;
        if (leg.Has(LegFlags.Linked) && _links.Remove(leg.Fd, out var link))
        {
            leg.Flags &= ~LegFlags.Linked;
            // Before the descriptor goes: who reads its end at the other side knows by then how it ended.
            link.OnLegClosed(abort);
            Sys.Close(leg.Fd);
        }
        else if (abort)
        {
            Sys.Abort(leg.Fd);
        }
        else
        {
            Sys.Close(leg.Fd);
        }

        leg.Fd = -1;
    }

    /// <summary>Registers a leg's socket for its whole life: edge-triggered, both directions.</summary>
    public bool Register(int index, Side side)
    {
        ref var pair = ref Pairs[index];
        return Epoll.Register(pair.Legs[(int)side].Fd, All, Token(pair.Generation, index, side)) == 0;
    }

    /// <summary>Registers a client's socket until <see cref="Settle"/>.</summary>
    public bool RegisterNewcomer(int index)
    {
        ref var pair = ref Pairs[index];
        return Newcomers.Register(pair.Down.Fd, All, Token(pair.Generation, index, Side.Downstream)) == 0;
    }

    /// <summary>A newcomer's pair is established: its socket goes to the others.</summary>
    public void Settle(int index)
    {
        // Where the kernel has no memory for it, it stays among the newcomers, which are served as well.
        if (Register(index, Side.Downstream))
            Newcomers.Unregister(Pairs[index].Down.Fd);
    }

    /// <summary>A registered leg has come to another pair: what is ready is told anew, to this one. An edge told before finds the socket where it was.</summary>
    public void Reregister(int index, Side side)
    {
        ref var pair = ref Pairs[index];
        ref var leg = ref pair.Legs[(int)side];
        leg.Flags = (leg.Flags & ~(LegFlags.Queued | LegFlags.Paused)) | LegFlags.Readable;
        // A registered, open socket can be modified: nothing of this can fail for want of memory.
        _ = Epoll.Modify(leg.Fd, All, Token(pair.Generation, index, side));
        Enqueue(index, side);
    }

    public void Enqueue(int index, Side side)
    {
        ref var pair = ref Pairs[index];
        ref var leg = ref pair.Legs[(int)side];
        if (leg.Has(LegFlags.Queued))
            return;
        leg.Flags |= LegFlags.Queued;
        _ready.Enqueue(Token(pair.Generation, index, side));
    }

    /// <summary>A pair of an endpoint is established, or no longer.</summary>
    public void CountEstablished(int endpointId, int delta)
    {
        TrafficOf(endpointId).Open += delta;
        Volatile.Write(ref _established, _established + delta);
    }

    /// <summary>The counters of an endpoint; grows the table, which happens when endpoints come, not with messages.</summary>
    public ref EndpointTraffic TrafficOf(int endpointId)
    {
        if ((uint)endpointId >= (uint)_traffic.Length)
        {
            var grown = new EndpointTraffic[Math.Max(endpointId + 1, _traffic.Length * 2)];
            _traffic.CopyTo(grown, 0);
            Volatile.Write(ref _traffic, grown);
        }

        return ref _traffic[endpointId];
    }

    public void Dispose()
    {
        Epoll.Dispose();
        Newcomers.Dispose();
        Pairs.Dispose();
    }
}
