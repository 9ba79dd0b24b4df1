using System.Numerics;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Timers;

/// <summary>
/// One coarse timer per pair, on lists threaded through the pairs themselves. Activity does not move a timer: when it fires the owner looks
/// at its time stamps and arms it again, so a message costs no timer work. Deadlines past the horizon fire at the horizon and are armed
/// again. One thread.
/// </summary>
internal sealed class TimerWheel
{
    /// <summary>Milliseconds a slot covers: how late a timer may be.</summary>
    public const int Resolution = 32;
    private const int Slots = 1024;
    private const int None = -1;

    private readonly NativeSlab<Pair> _pairs;
    private readonly int[] _heads = new int[Slots];
    private readonly ulong[] _occupied = new ulong[Slots / 64];
    private long _tick;

    public TimerWheel(NativeSlab<Pair> pairs, long now)
    {
        _pairs = pairs;
        _heads.AsSpan().Fill(None);
        _tick = now / Resolution;
    }

    /// <summary>Arms the timer of a pair, or moves it. Never earlier than asked for, at most one slot late.</summary>
    public void Arm(int index, long deadline)
    {
        ref var pair = ref _pairs[index];
        if (pair.TimerSlot != 0)
            Disarm(index);
        var tick = Math.Clamp((deadline + Resolution - 1) / Resolution, _tick + 1, _tick + Slots - 1);
        var slot = (int)(tick % Slots);
        var head = _heads[slot];
        pair.TimerSlot = slot + 1;
        pair.TimerPrevious = None;
        pair.TimerNext = head;
        if (head != None)
            _pairs[head].TimerPrevious = index;
        _heads[slot] = index;
        _occupied[slot >> 6] |= 1ul << (slot & 63);
    }

    public void Disarm(int index)
    {
        ref var pair = ref _pairs[index];
        if (pair.TimerSlot == 0)
            return;
        var slot = pair.TimerSlot - 1;
        if (pair.TimerPrevious != None)
            _pairs[pair.TimerPrevious].TimerNext = pair.TimerNext;
        else if ((_heads[slot] = pair.TimerNext) == None)
            _occupied[slot >> 6] &= ~(1ul << (slot & 63));
        if (pair.TimerNext != None)
            _pairs[pair.TimerNext].TimerPrevious = pair.TimerPrevious;
        pair.TimerSlot = 0;
    }

    /// <summary>The next pair whose timer has fired, disarmed; -1 when there is none until later.</summary>
    public int NextExpired(long now)
    {
        var target = now / Resolution;
        while (true)
        {
            var slot = (int)(_tick % Slots);
            var head = _heads[slot];
            if (head != None)
            {
                Disarm(head);
                return head;
            }

            if (_tick >= target)
                return None;
            // After a long stop every slot is due once; more turns of the wheel find nothing new.
            if (target - _tick > Slots)
                _tick = target - Slots;
            _tick++;
        }
    }

    /// <summary>Milliseconds until the next armed slot, 0 when some have fired already; -1 when nothing is armed.</summary>
    public int UntilNext(long now)
    {
        if (_heads[(int)(_tick % Slots)] != None)
            return 0;       // NextExpired was not called until -1.
        var start = (int)((_tick + 1) % Slots);
        for (var i = 0; i <= _occupied.Length; i++)
        {
            var word = ((start >> 6) + i) % _occupied.Length;
            var bits = _occupied[word];
            if (i == 0)
                bits &= ulong.MaxValue << (start & 63);
            else if (i == _occupied.Length)
                bits &= ~(ulong.MaxValue << (start & 63));
            if (bits == 0)
                continue;
            var slot = (word << 6) + BitOperations.TrailingZeroCount(bits);
            var ticks = ((slot - start + Slots) % Slots) + 1;
            return (int)Math.Max(0, ((_tick + ticks) * Resolution) - now);
        }

        return -1;
    }
}
