namespace Holdfast.Bench.Backend;

/// <summary>What a backend saw of the handshakes that came to it.</summary>
/// <param name="Served">Answered with 101.</param>
/// <param name="Overrun">Answered with 503: as many waited already as it can take.</param>
/// <param name="LongestLine">Most that waited at once.</param>
/// <param name="MostPerSecond">Most that came within one second of the clock.</param>
internal sealed record DeskCounts(long Served, long Overrun, int LongestLine, int MostPerSecond);

/// <summary>
/// An application that can take so many handshakes per second and no more: one each interval, on schedule, the others wait in a short line, and who comes
/// when that is full gets 503. One thread.
/// </summary>
/// <param name="ratePerSecond">0: every handshake is served at once, and only counted.</param>
/// <param name="line">Handshakes that wait at most.</param>
internal sealed class UpgradeDesk(int ratePerSecond, int line)
{
    private readonly Queue<EchoConnection> _line = new();
    private readonly long _interval = ratePerSecond == 0 ? 0 : TimeProvider.System.TimestampFrequency / ratePerSecond;
    private readonly int[] _arrivals = new int[3600];
    private readonly long _start = TimeProvider.System.GetTimestamp();
    private long _next;
    private long _served, _overrun;
    private int _longest;

    public DeskCounts Counts => new(_served, _overrun, _longest, _arrivals.Max());

    /// <summary>Forgets what was counted, not who waits.</summary>
    public void Reset()
    {
        _served = _overrun = 0;
        _longest = 0;
        Array.Clear(_arrivals);
    }

    /// <summary>False: no room, which is counted.</summary>
    public bool TryEnter(EchoConnection connection)
    {
        _arrivals[(int)TimeProvider.System.GetElapsedTime(_start).TotalSeconds % _arrivals.Length]++;
        if (ratePerSecond != 0 && _line.Count >= line)
        {
            _overrun++;
            return false;
        }

        _line.Enqueue(connection);
        _longest = Math.Max(_longest, _line.Count);
        return true;
    }

    /// <summary>Serves who is due; microseconds until the next is, -1: nobody waits.</summary>
    public long Step()
    {
        while (_line.Count > 0)
        {
            var now = TimeProvider.System.GetTimestamp();
            if (now < _next)
                return (long)TimeProvider.System.GetElapsedTime(now, _next).TotalMicroseconds + 1;
            if (!_line.Dequeue().Serve())
                continue;   // It has left, and costs no turn.
            _served++;
            // A turn that came late does not move the schedule; one that nobody wanted is lost.
            _next = now - _next < _interval ? _next + _interval : now + _interval;
        }

        return -1;
    }
}
