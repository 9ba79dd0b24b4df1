using System.Diagnostics.Metrics;

namespace Holdfast.Gateway.Telemetry;

/// <summary>Hears one meter and prints it. Thread-safe; scrapes take turns.</summary>
internal sealed class MetricAggregator : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Lock _scrape = new();
    private readonly SortedList<string, MetricFamily> _families = new(StringComparer.Ordinal);

    /// <param name="scope">The factory whose meters are heard: several gateways in one process do not mix.</param>
    public MetricAggregator(IMeterFactory scope, string meterName)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (!ReferenceEquals(instrument.Meter.Scope, scope) || instrument.Meter.Name != meterName)
                return;
            if (MetricFamily.Create(instrument) is not { } family)
                return;
            lock (_scrape)
            {
                // OpenMetrics knows a family once; two instruments of one name are a bug, and the second stays unheard.
                if (!_families.TryAdd(family.Name, family))
                    return;
            }

            listener.EnableMeasurementEvents(instrument, family);
        };
        _listener.SetMeasurementEventCallback<long>(static (instrument, value, tags, state) =>
        {
            if (instrument.IsObservable)
                ((MetricFamily)state!).Observe(value, tags);
            else
                ((MetricFamily)state!).Push(value, tags);
        });
        _listener.SetMeasurementEventCallback<int>(static (_, value, tags, state) => ((MetricFamily)state!).Observe((long)value, tags));
        _listener.SetMeasurementEventCallback<double>(static (instrument, value, tags, state) =>
        {
            if (instrument.IsObservable)
                ((MetricFamily)state!).Observe(value, tags);
            else
                ((MetricFamily)state!).Push(value, tags);
        });
        _listener.Start();
    }

    /// <summary>Prints every family, by name.</summary>
    public void Write(TextBuffer text, MetricsFormat format)
    {
        lock (_scrape)
        {
            try
            {
                _listener.RecordObservableInstruments();
            }
            catch (AggregateException)
            {
                // The rest was observed all the same: one broken number must not hide the others.
            }

            foreach (var family in _families.Values)
                family.Write(text, format);
        }

        if (format == MetricsFormat.OpenMetrics)
            text.Append("# EOF\n"u8);
    }

    public void Dispose() => _listener.Dispose();
}
