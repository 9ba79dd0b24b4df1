using System.Numerics;

namespace Holdfast.Cli.Load;

/// <summary>
/// Counts of microseconds in log-linear buckets, as HdrHistogram has them (Gil Tene): values below 2,048 are exact, above that each power
/// of two is cut into 1,024 buckets, so that a percentile is at most 0.1 % too high: three significant digits. From 1 us to 60 s; what is
/// outside counts as the nearest of the two, but <see cref="Max"/> is exact. One thread records; others may read a copy that is a little old.
/// </summary>
internal sealed class LatencyHistogram
{
    /// <summary>60 s, in microseconds.</summary>
    public const long Highest = 60_000_000;

    private const int ExactValues = 2048, PerPowerOfTwo = ExactValues / 2, ExactBits = 11;
    private readonly long[] _counts = new long[IndexOf(Highest) + 1];
    private double _sum;

    public long Count { get; private set; }

    public long Max { get; private set; }

    public double Mean => Count == 0 ? 0 : _sum / Count;

    public void Record(long microseconds)
    {
        if (microseconds < 1)
            microseconds = 1;
        if (microseconds > Max)
            Max = microseconds;
        Count++;
        _sum += microseconds;
        _counts[IndexOf(Math.Min(microseconds, Highest))]++;
    }

    /// <summary>
    /// The value that this share of all values does not exceed (nearest rank), as the upper end of its bucket; 0 when nothing was recorded.
    /// </summary>
    /// <param name="percentile">Over 0, at most 100.</param>
    public long Percentile(double percentile)
    {
        var rank = (long)Math.Ceiling(percentile / 100 * Count);
        var seen = 0L;
        for (var i = 0; i < _counts.Length && rank > 0; i++)
        {
            seen += _counts[i];
            if (seen >= rank)
                return i == _counts.Length - 1 ? Max : Math.Min(UpperEndOf(i), Max);
        }

        return Count == 0 ? 0 : Max;
    }

    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
        Count += other.Count;
        _sum += other._sum;
        Max = Math.Max(Max, other.Max);
    }

    /// <summary>What was recorded after an earlier copy of the same was made; <see cref="Max"/> is then the upper end of its bucket.</summary>
    public LatencyHistogram Since(LatencyHistogram earlier)
    {
        var rest = new LatencyHistogram();
        for (var i = 0; i < _counts.Length; i++)
        {
            var count = _counts[i] - earlier._counts[i];
            if (count <= 0)
                continue;
            rest._counts[i] = count;
            rest.Count += count;
            rest.Max = i == _counts.Length - 1 ? Max : Math.Min(UpperEndOf(i), Max);
        }

        rest._sum = _sum - earlier._sum;
        return rest;
    }

    private static int IndexOf(long value)
    {
        if (value < ExactValues)
            return (int)value;
        var shift = BitOperations.Log2((ulong)value) - (ExactBits - 1);
        return ExactValues + ((shift - 1) * PerPowerOfTwo) + (int)(value >> shift) - PerPowerOfTwo;
    }

    private static long UpperEndOf(int index)
    {
        if (index < ExactValues)
            return index;
        var shift = ((index - ExactValues) / PerPowerOfTwo) + 1;
        var mantissa = (long)(((index - ExactValues) % PerPowerOfTwo) + PerPowerOfTwo);
        return ((mantissa + 1) << shift) - 1;
    }
}
