using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;

namespace Holdfast.Gateway.Events;

/// <summary>Re-homes that ended, for each backend. Counted on loops: without a lock or an allocation once a backend is known.</summary>
internal sealed class RehomeCounts
{
    private static readonly int Outcomes = Enum.GetValues<RehomeOutcome>().Length;
    private static readonly int Causes = Enum.GetValues<RehomeCause>().Length;

    private readonly Lock _register = new();
    private volatile Cell?[] _byBackend = [];

    public void Count(in RehomeEnd end, BackendState backend)
    {
        var cells = _byBackend;
        var cell = backend.Id < cells.Length && cells[backend.Id] is { } known ? known : Register(backend);
        Interlocked.Increment(ref cell.Ends[((int)end.Cause * Outcomes) + (int)end.Outcome]);
        if (end.Unknown > 0)
            Interlocked.Add(ref cell.Unknown, end.Unknown);
    }

    /// <summary>What was counted for each backend since this was last asked; none without any. One caller at a time.</summary>
    public List<RehomesView> Take(string time)
    {
        var views = new List<RehomesView>();
        foreach (var cell in _byBackend)
        {
            if (cell?.Take(time) is { } view)
                views.Add(view);
        }

        return views;
    }

    private Cell Register(BackendState backend)
    {
        lock (_register)
        {
            var cells = _byBackend;
            if (backend.Id >= cells.Length)
                Array.Resize(ref cells, Math.Max(backend.Id + 1, cells.Length * 2));
            var cell = cells[backend.Id] ??= new Cell(backend.Name);
            _byBackend = cells;
            return cell;
        }
    }

    private sealed class Cell(string backend)
    {
        public readonly long[] Ends = new long[Causes * Outcomes];
        public long Unknown;
        private readonly long[] _taken = new long[Causes * Outcomes];
        private long _unknownTaken;

        public RehomesView? Take(string time)
        {
            Span<long> causes = stackalloc long[Causes];
            Span<long> outcomes = stackalloc long[Outcomes];
            causes.Clear();
            outcomes.Clear();
            long any = 0;
            for (var i = 0; i < Ends.Length; i++)
            {
                var now = Volatile.Read(ref Ends[i]);
                var since = now - _taken[i];
                _taken[i] = now;
                any += since;
                causes[i / Outcomes] += since;
                outcomes[i % Outcomes] += since;
            }

            // Later than the ends they belong to: what is not seen yet goes with the next.
            var unknown = Volatile.Read(ref Unknown);
            if (any == 0 && unknown == _unknownTaken)
                return null;
            var view = new RehomesView(
                time,
                backend,
                causes[(int)RehomeCause.Planned],
                causes[(int)RehomeCause.CloseFirst],
                causes[(int)RehomeCause.Crash],
                outcomes[(int)RehomeOutcome.Completed],
                outcomes[(int)RehomeOutcome.CutShort],
                outcomes[(int)RehomeOutcome.Refused],
                outcomes[(int)RehomeOutcome.TimedOut],
                outcomes[(int)RehomeOutcome.ClientGone],
                outcomes[(int)RehomeOutcome.Ended],
                unknown - _unknownTaken);
            _unknownTaken = unknown;
            return view;
        }
    }
}
