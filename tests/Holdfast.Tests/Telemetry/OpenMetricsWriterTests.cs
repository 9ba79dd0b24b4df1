using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using Holdfast.Gateway.Admin;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Pairs;
using Microsoft.Extensions.DependencyInjection;
using Xunit;
using Tag = System.Collections.Generic.KeyValuePair<string, object?>;

namespace Holdfast.Tests.Telemetry;

public sealed class OpenMetricsWriterTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly MetricAggregator _aggregator;
    private readonly Meter _meter;

    public OpenMetricsWriterTests()
    {
        var factory = _services.GetRequiredService<IMeterFactory>();
        _aggregator = new MetricAggregator(factory, "test");
        _meter = factory.Create("test");
    }

    public void Dispose()
    {
        _aggregator.Dispose();
        _services.Dispose();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Labels_and_help_survive_backslashes_quotes_line_feeds_and_any_script(bool openMetrics)
    {
        const string Nasty = "a\\n\\\"b\"\n\\ü{}=,𝛼";
        _meter.CreateCounter<long>("nasty", null, Nasty).Add(3, new Tag("label", Nasty));

        var family = Assert.Single(StrictMetricsParser.Parse(Scrape(openMetrics), openMetrics));

        Assert.Equal(Nasty, family.Help);
        Assert.Equal(Nasty, Assert.Single(family.Samples)["label"]);
    }

    [Fact]
    public void A_name_or_label_of_OpenTelemetry_becomes_one_of_Prometheus()
    {
        _meter.CreateCounter<long>("http.server-calls").Add(1, new Tag("http.method", "GET"));

        var sample = Assert.Single(Assert.Single(StrictMetricsParser.Parse(Scrape(true), true)).Samples);

        Assert.Equal("http_server_calls_total", sample.Name);
        Assert.Equal("GET", sample["http_method"]);
    }

    [Fact]
    public void A_histogram_counts_each_value_in_its_bucket_and_all_above()
    {
        var histogram = _meter.CreateHistogram("wait_seconds", "s", "", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.5, 1, 10] });
        foreach (var value in new[] { 0.25, 0.5, 0.75, 1, 64 })
            histogram.Record(value, new Tag("a", "b"));

        var family = Assert.Single(StrictMetricsParser.Parse(Scrape(true), true));

        Assert.Equal("seconds", family.Unit);
        Assert.Equal(["0.5", "1.0", "10.0", "+Inf"], family.Samples.Take(4).Select(s => s["le"]));
        Assert.Equal([2d, 4, 4, 5, 66.5, 5], family.Samples.Select(s => s.Value));
        Assert.Contains("""wait_seconds_bucket{a="b",le="0.5"} 2""", Scrape(false), StringComparison.Ordinal);
    }

    [Fact]
    public void A_unit_is_told_only_where_the_name_ends_with_it()
    {
        _meter.CreateCounter<long>("sent_bytes", "By").Add(1);
        _meter.CreateCounter<long>("sent", "By").Add(1);

        var families = StrictMetricsParser.Parse(Scrape(true), true);

        Assert.Equal([null, "bytes"], families.Select(f => f.Unit));
        Assert.DoesNotContain("# UNIT", Scrape(false), StringComparison.Ordinal);
    }

    [Fact]
    public void Special_numbers_are_spelt_as_the_format_wants()
    {
        _meter.CreateObservableGauge("special", () => new Measurement<double>[]
        {
            new(double.NaN, new Tag("n", 1)), new(double.PositiveInfinity, new Tag("n", 2)), new(double.NegativeInfinity, new Tag("n", 3)), new(1e300, new Tag("n", 4)),
        });

        Assert.Equal(
            [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e300],
            Assert.Single(StrictMetricsParser.Parse(Scrape(true), true)).Samples.Select(s => s.Value));
    }

    [Fact]
    public void Families_and_series_come_in_the_same_order_every_time()
    {
        var b = _meter.CreateCounter<long>("b");
        var a = _meter.CreateCounter<long>("a");
        foreach (var label in new[] { "z", "m", "a", "q" })
        {
            b.Add(1, new Tag("l", label));
            a.Add(1, new Tag("l", label));
        }

        var families = StrictMetricsParser.Parse(Scrape(true), true);

        Assert.Equal(["a", "b"], families.Select(f => f.Name));
        Assert.Equal(["a", "m", "q", "z"], families[0].Samples.Select(s => s["l"]));
        Assert.Equal(Scrape(true), Scrape(true));
    }

    [Fact]
    public void One_broken_callback_hides_no_other_metric()
    {
        _meter.CreateObservableGauge("broken", (Func<long>)Planted);
        _meter.CreateObservableGauge("whole", () => 5L);

        Assert.Contains("whole 5\n", Scrape(true), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_longer_observed_is_no_longer_told()
    {
        string[] pods = ["a", "b"];
        _meter.CreateObservableGauge("pods", () => pods.Select(p => new Measurement<long>(1, new Tag("pod", p))));
        Assert.Equal(2, Assert.Single(StrictMetricsParser.Parse(Scrape(true), true)).Samples.Count);

        pods = ["b"];

        Assert.Equal("b", Assert.Single(Assert.Single(StrictMetricsParser.Parse(Scrape(true), true)).Samples)["pod"]);
    }

    [Fact]
    public void Labels_beyond_the_cap_are_added_up_in_one_series()
    {
        var counter = _meter.CreateCounter<long>("many");
        for (var i = 0; i < MetricFamily.MaxSeries + 500; i++)
            counter.Add(1, new Tag("l", i));

        var text = Scrape(true);

        Assert.Contains("many_total{otel_metric_overflow=\"true\"} 500\n", text, StringComparison.Ordinal);
        Assert.Equal(MetricFamily.MaxSeries + 1, text.Split('\n').Count(l => l.StartsWith("many_total", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_measurement_of_a_known_series_allocates_nothing()
    {
        var counter = _meter.CreateCounter<long>("hot");
        var histogram = _meter.CreateHistogram("hot_seconds", "s", "", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [1] });
        var measured = 0;

        Allocations.AssertNone(() =>
        {
            counter.Add(1, new Tag("backend", "chat"), new Tag("reason", "eof"), new Tag("side", "upstream"));
            histogram.Record(0.5, new Tag("backend", "chat"));
            measured++;
        });

        Assert.Contains($"hot_total{{backend=\"chat\",reason=\"eof\",side=\"upstream\"}} {measured}\n", Scrape(true), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Measurements_of_many_threads_are_all_counted()
    {
        var counter = _meter.CreateCounter<long>("shared");
        var histogram = _meter.CreateHistogram("shared_seconds", "s", "", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [1] });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                counter.Add(1, new Tag("l", i % 7));
                histogram.Record(0.5);
                if (i % 5000 == 0)
                    StrictMetricsParser.Parse(Scrape(true), true);
            }
        })));

        var families = StrictMetricsParser.Parse(Scrape(true), true);

        Assert.Equal(80_000, families[0].Samples.Sum(s => s.Value));
        Assert.Equal([80_000d, 80_000, 40_000, 80_000], families[1].Samples.Select(s => s.Value));
    }

    [Fact]
    public void Another_gateways_meter_of_the_same_name_is_not_heard()
    {
        using var other = new ServiceCollection().AddMetrics().BuildServiceProvider();
        other.GetRequiredService<IMeterFactory>().Create("test").CreateCounter<long>("foreign").Add(1);

        Assert.Equal("# EOF\n", Scrape(true));
    }

    [Theory]
    [InlineData("", MetricsFormat.Prometheus)]
    [InlineData("*/*", MetricsFormat.Prometheus)]
    [InlineData("text/plain", MetricsFormat.Prometheus)]
    [InlineData("application/openmetrics-text", MetricsFormat.OpenMetrics)]
    [InlineData("application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", MetricsFormat.OpenMetrics)]
    [InlineData("application/openmetrics-text;version=0.0.1,text/plain;q=0.1", MetricsFormat.Prometheus)]
    [InlineData("application/openmetrics-text;q=0,text/plain", MetricsFormat.Prometheus)]
    [InlineData("application/openmetrics-text;q=0.2,text/plain;q=0.7", MetricsFormat.Prometheus)]
    [InlineData("nonsense;;;", MetricsFormat.Prometheus)]
    internal void The_format_is_what_Accept_asks_for(string accept, MetricsFormat expected) =>
        Assert.Equal(expected, MetricsHandler.FormatOf([accept]));

    [Fact]
    public async Task Promtool_finds_no_fault_in_the_gateways_metrics()
    {
        var promtool = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(d => Path.Combine(d, "promtool")).FirstOrDefault(File.Exists);
        if (promtool is null && Environment.GetEnvironmentVariable("CI") == "true")
            Assert.Fail("promtool is not on PATH (Debian: prometheus)");
        if (promtool is null)
            Assert.Skip("promtool is not on PATH (Debian: prometheus)");
        using var fixture = new TelemetryFixture();
        foreach (var outcome in Enum.GetValues<HandshakeOutcome>())
            fixture.Telemetry.OnHandshakeEnded(fixture.Handshake(outcome, fixture.Chat.Endpoints[0]));
        foreach (var reason in Enum.GetValues<EndReason>())
            fixture.Telemetry.OnPairEnded(fixture.End(reason, EndSide.Upstream, fixture.Chat.Endpoints[0]), fixture.Chat, fixture.Chat.Endpoints[0]);

        using var process = Process.Start(new ProcessStartInfo(promtool, ["check", "metrics"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        await process.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes(fixture.Scrape(MetricsFormat.Prometheus)));
        process.StandardInput.Close();
        var said = await process.StandardOutput.ReadToEndAsync() + await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();

        Assert.Equal("", said);
        Assert.Equal(0, process.ExitCode);
    }

    private static long Planted() => throw new InvalidOperationException("planted");

    private string Scrape(bool openMetrics)
    {
        var text = new TextBuffer();
        _aggregator.Write(text, openMetrics ? MetricsFormat.OpenMetrics : MetricsFormat.Prometheus);
        var result = Encoding.UTF8.GetString(text.Written.Span);
        text.Reset();
        return result;
    }
}
