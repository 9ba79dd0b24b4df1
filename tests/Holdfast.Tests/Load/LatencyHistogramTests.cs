using Holdfast.Cli.Load;
using Xunit;

namespace Holdfast.Tests.Load;

public sealed class LatencyHistogramTests
{
    [Theory]
    [InlineData(1, 2_000)]
    [InlineData(2, 50_000)]
    [InlineData(3, LatencyHistogram.Highest)]
    public void Percentiles_are_the_exact_ones_to_three_significant_digits(int seed, long highest)
    {
        var random = new Random(seed);
        var histogram = new LatencyHistogram();

        // Log-uniform: as many small values as great ones.
        var values = Enumerable.Range(0, 20_000).Select(_ => (long)Math.Exp(random.NextDouble() * Math.Log(highest)) + 1).ToArray();
        foreach (var value in values)
            histogram.Record(value);
        Array.Sort(values);
        foreach (var percentile in new[] { 0.01, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 100 })
        {
            var exact = values[(int)Math.Ceiling(percentile / 100 * values.Length) - 1];
            Assert.InRange(histogram.Percentile(percentile), exact, exact * 1.001);
        }

        Assert.Equal(values[^1], histogram.Max);
        Assert.Equal(values.Length, histogram.Count);
        Assert.InRange(histogram.Mean, values.Average() * 0.999999, values.Average() * 1.000001);
    }

    [Fact]
    public void Every_power_of_two_and_its_neighbours_keep_their_bucket()
    {
        for (var power = 1L; power <= LatencyHistogram.Highest; power *= 2)
        {
            foreach (var value in new[] { power - 1, power, power + 1 }.Where(v => v is >= 1 and <= LatencyHistogram.Highest))
            {
                var histogram = new LatencyHistogram();
                histogram.Record(value);
                histogram.Record(LatencyHistogram.Highest);
                Assert.InRange(histogram.Percentile(50), value, value * 1.001);
            }
        }
    }

    [Fact]
    public void Values_outside_count_at_the_ends_but_the_maximum_is_exact()
    {
        var histogram = new LatencyHistogram();
        histogram.Record(-5);
        histogram.Record(90_000_000);
        Assert.Equal(1, histogram.Percentile(50));
        Assert.Equal(90_000_000, histogram.Percentile(100));
        Assert.Equal(90_000_000, histogram.Max);
    }

    [Fact]
    public void Sums_of_histograms_are_the_histogram_of_all_values()
    {
        var (one, two, both) = (new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram());
        for (var value = 1; value < 10_000; value += 7)
        {
            (value % 2 == 0 ? one : two).Record(value);
            both.Record(value);
        }

        one.Add(two);
        Assert.Equal(both.Count, one.Count);
        Assert.Equal(both.Max, one.Max);
        foreach (var percentile in new[] { 1.0, 50, 99, 100 })
            Assert.Equal(both.Percentile(percentile), one.Percentile(percentile));
    }

    [Fact]
    public void Nothing_recorded_is_zero() => Assert.Equal(0, new LatencyHistogram().Percentile(99));
}
