namespace Holdfast.Cli.Load;

/// <summary>What an arrival is, by RFC 4737 (reordering) and RFC 5560 (duplication), with messages for packets.</summary>
internal enum Arrival
{
    /// <summary>The next number, or one after a gap that later arrivals may still fill.</summary>
    InOrder,

    /// <summary>A number that came before.</summary>
    Duplicate,

    /// <summary>A first arrival of a number below one that came before.</summary>
    Reordered,
}

/// <summary>
/// The numbers that arrived on one connection, kept as the numbers that did not: <c>next</c> (one above the greatest seen) and the holes
/// below it, as ascending ranges. A stream without faults costs two longs.
/// <para>
/// Each arrival has exactly one verdict, at once: at or above <c>next</c> it is in order and what it skips becomes a hole; in a hole it is
/// reordered, and leaves the hole; anything else below <c>next</c> is a duplicate. Nothing is called lost before the end: what is then
/// still in a hole, or beyond the last arrival, is. So a late message beside a lost one cannot be taken for it.
/// </para>
/// A sender that moves one message back by any distance makes one reordered; one that moves it forward past k others makes k (RFC 4737
/// section 3 sees it so: k came after a greater number). Not thread-safe.
/// </summary>
internal sealed class SequenceLedger
{
    /// <summary>Ranges kept per connection; beyond that the lowest is given up as lost and the counts are <see cref="Inexact"/>.</summary>
    public const int MaxHoles = 4096;

    private readonly List<(long From, long To)> _holes = new(0);
    private long _base;
    private long _next;
    private long _holeNumbers;
    private long _givenUp;
    private bool _started;

    /// <summary>A stream that begins at 0, which the receiver knows because it numbered the messages itself.</summary>
    public static SequenceLedger FromZero() => new() { _started = true };

    /// <summary>A stream whose first arrival says where it begins.</summary>
    public static SequenceLedger FromFirstArrival() => new();

    /// <summary>So many holes that one was given up: a number of it that comes now counts as a duplicate.</summary>
    public bool Inexact { get; private set; }

    public Arrival Accept(long number)
    {
        if (number == _next && _started)
        {
            _next++;
            return Arrival.InOrder;
        }

        if (!_started)
        {
            _started = true;
            _base = number;
            _next = number + 1;
            return Arrival.InOrder;
        }

        if (number > _next)
        {
            AddHole(_holes.Count, _next, number - 1);
            _next = number + 1;
            return Arrival.InOrder;
        }

        if (number < _base)
        {
            if (number + 1 < _base)
                AddHole(0, number + 1, _base - 1);
            _base = number;
            return Arrival.Reordered;
        }

        return TakeFromHole(number) ? Arrival.Reordered : Arrival.Duplicate;
    }

    /// <summary>How many numbers have not arrived: those in holes, and those from the last arrival up to <paramref name="end"/> (excluded).</summary>
    public long Missing(long end) => _holeNumbers + _givenUp + Math.Max(0, end - _next);

    private void AddHole(int index, long from, long to)
    {
        _holes.Insert(index, (from, to));
        _holeNumbers += to - from + 1;
        if (_holes.Count <= MaxHoles)
            return;
        var (first, last) = _holes[0];
        _holes.RemoveAt(0);
        _holeNumbers -= last - first + 1;
        _givenUp += last - first + 1;
        Inexact = true;
    }

    private bool TakeFromHole(long number)
    {
        int low = 0, high = _holes.Count - 1;
        while (low <= high)
        {
            var middle = (low + high) / 2;
            var (from, to) = _holes[middle];
            if (number < from)
            {
                high = middle - 1;
            }
            else if (number > to)
            {
                low = middle + 1;
            }
            else
            {
                Shrink(middle, from, to, number);
                return true;
            }
        }

        return false;
    }

    private void Shrink(int index, long from, long to, long number)
    {
        _holes.RemoveAt(index);
        _holeNumbers -= to - from + 1;
        if (number < to)
            AddHole(index, number + 1, to);
        if (number > from)
            AddHole(index, from, number - 1);
    }
}
