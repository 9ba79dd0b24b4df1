using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Holdfast.Gateway.Telemetry;

internal enum MetricKind
{
    Gauge,
    Counter,
    Histogram,
}

/// <summary>
/// One instrument as a metric family. What is pushed adds up in one cell per set of tags: no lock and no allocation once the cell is there.
/// What is observed is printed as it comes and kept only until the scrape's end.
/// </summary>
internal sealed class MetricFamily
{
    /// <summary>Sets of tags at most, so that no label can eat the memory; what is over goes to one cell tagged as OpenTelemetry's SDKs do.</summary>
    public const int MaxSeries = 10_000;

    private static readonly TagSet Overflow = new([new Tag("otel_metric_overflow", "true")]);

    private readonly ConcurrentDictionary<TagSet, MetricCell> _cells = new(TagSetComparer.Instance);
    private readonly ConcurrentDictionary<TagSet, MetricCell>.AlternateLookup<ReadOnlySpan<Tag>> _lookup;
    private readonly TextBuffer _observed = new();
    private readonly double[] _bounds = [];
    private readonly string[] _boundTexts = [];
    private int _count;

    private MetricFamily(Instrument instrument, MetricKind kind)
    {
        Kind = kind;
        Name = OpenMetricsWriter.Sanitize(instrument.Name);
        if (kind == MetricKind.Counter && Name.EndsWith("_total", StringComparison.Ordinal))
            Name = Name[..^"_total".Length];
        Help = instrument.Description ?? "";
        var unit = instrument.Unit switch { "s" => "seconds", "By" => "bytes", _ => null };
        // OpenMetrics: a family with a unit must end with it.
        Unit = unit is not null && Name.EndsWith("_" + unit, StringComparison.Ordinal) ? unit : null;
        if (instrument is Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds })
            _bounds = [.. bounds];
        _boundTexts = [.. _bounds.Append(double.PositiveInfinity).Select(OpenMetricsWriter.Bound)];
        _lookup = _cells.GetAlternateLookup<ReadOnlySpan<Tag>>();
    }

    public MetricKind Kind { get; }

    /// <summary>Without <c>_total</c>.</summary>
    public string Name { get; }

    public string Help { get; }

    public string? Unit { get; }

    private string SampleName => Kind == MetricKind.Counter ? Name + "_total" : Name;

    /// <summary>Null for a kind of instrument that the gateway does not use.</summary>
    public static MetricFamily? Create(Instrument instrument) => instrument switch
    {
        Counter<long> or ObservableCounter<long> => new MetricFamily(instrument, MetricKind.Counter),
        Histogram<double> => new MetricFamily(instrument, MetricKind.Histogram),
        ObservableGauge<long> or ObservableGauge<int> or ObservableGauge<double> or ObservableUpDownCounter<long> =>
            new MetricFamily(instrument, MetricKind.Gauge),
        _ => null,
    };

    /// <summary>A pushed measurement; any thread.</summary>
    public void Push(double value, ReadOnlySpan<Tag> tags)
    {
        var cell = CellOf(tags);
        if (Kind == MetricKind.Histogram)
            cell.Record(value, _bounds);
        else
            cell.Add((long)value);
    }

    /// <summary>An observed measurement; the scrape's thread, under its lock.</summary>
    public void Observe(long value, ReadOnlySpan<Tag> tags)
    {
        ObserveLabels(tags);
        _observed.Append(value);
        _observed.Append("\n"u8);
    }

    /// <inheritdoc cref="Observe(long, ReadOnlySpan{Tag})"/>
    public void Observe(double value, ReadOnlySpan<Tag> tags)
    {
        ObserveLabels(tags);
        _observed.Append(value);
        _observed.Append("\n"u8);
    }

    /// <summary>Prints the family and forgets what was observed.</summary>
    public void Write(TextBuffer text, MetricsFormat format)
    {
        OpenMetricsWriter.WriteHead(text, this, format);
        text.Append(_observed.Written.Span);
        _observed.Reset();
        if (_cells.IsEmpty)
            return;
        var cells = _cells.Values.ToArray();
        Array.Sort(cells, static (a, b) => a.Labels.AsSpan().SequenceCompareTo(b.Labels));
        foreach (var cell in cells)
        {
            if (Kind == MetricKind.Histogram)
            {
                WriteHistogram(text, cell);
                continue;
            }

            OpenMetricsWriter.WriteSample(text, SampleName, default, cell.Labels);
            text.Append(cell.Value);
            text.Append("\n"u8);
        }
    }

    private void WriteHistogram(TextBuffer text, MetricCell cell)
    {
        // The sum first: a measurement that comes in between makes the mean too small for one scrape, never the buckets inconsistent.
        var sum = cell.Sum;
        long count = 0;
        for (var i = 0; i < _boundTexts.Length; i++)
        {
            count += cell.Bucket(i);
            OpenMetricsWriter.WriteSample(text, Name, "_bucket"u8, cell.Labels, _boundTexts[i]);
            text.Append(count);
            text.Append("\n"u8);
        }

        OpenMetricsWriter.WriteSample(text, Name, "_sum"u8, cell.Labels);
        text.Append(sum);
        text.Append("\n"u8);
        OpenMetricsWriter.WriteSample(text, Name, "_count"u8, cell.Labels);
        text.Append(count);
        text.Append("\n"u8);
    }

    private void ObserveLabels(ReadOnlySpan<Tag> tags)
    {
        _observed.Append(SampleName);
        if (!tags.IsEmpty)
        {
            _observed.Append("{"u8);
            OpenMetricsWriter.WriteLabels(_observed, tags);
            _observed.Append("}"u8);
        }

        _observed.Append(" "u8);
    }

    private MetricCell CellOf(ReadOnlySpan<Tag> tags)
    {
        if (_lookup.TryGetValue(tags, out var cell))
            return cell;
        var isFull = Volatile.Read(ref _count) >= MaxSeries;
        if (isFull && _cells.TryGetValue(Overflow, out cell))
            return cell;
        var key = isFull ? Overflow : new TagSet(tags.ToArray());
        var made = new MetricCell(key.Tags, Kind == MetricKind.Histogram ? _boundTexts.Length : 0);
        cell = _cells.GetOrAdd(key, made);
        if (ReferenceEquals(cell, made))
            Interlocked.Increment(ref _count);
        return cell;
    }
}

/// <summary>What one set of tags has added up to. Any thread.</summary>
internal sealed class MetricCell
{
    private readonly long[] _buckets;
    private long _value;
    private double _sum;

    public MetricCell(ReadOnlySpan<Tag> tags, int buckets)
    {
        var text = new TextBuffer();
        OpenMetricsWriter.WriteLabels(text, tags);
        Labels = text.Written.ToArray();
        text.Reset();
        _buckets = new long[buckets];
    }

    /// <summary>As printed, made once.</summary>
    public byte[] Labels { get; }

    public long Value => Volatile.Read(ref _value);

    public double Sum => Volatile.Read(ref _sum);

    public long Bucket(int index) => Volatile.Read(ref _buckets[index]);

    public void Add(long value) => Interlocked.Add(ref _value, value);

    /// <param name="bounds">Upper ones, inclusive, rising.</param>
    public void Record(double value, double[] bounds)
    {
        var bucket = 0;
        while (bucket < bounds.Length && value > bounds[bucket])
            bucket++;
        Interlocked.Increment(ref _buckets[bucket]);
        for (var seen = Volatile.Read(ref _sum); ;)
        {
            var before = Interlocked.CompareExchange(ref _sum, seen + value, seen);
            if (before.Equals(seen))
                return;
            seen = before;
        }
    }
}
