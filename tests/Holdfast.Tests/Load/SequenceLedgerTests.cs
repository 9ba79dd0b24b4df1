using FsCheck;
using FsCheck.Fluent;
using Holdfast.Cli.Load;
using Xunit;

namespace Holdfast.Tests.Load;

public sealed class SequenceLedgerTests
{
    [Fact]
    public void A_late_message_beside_a_lost_one_is_not_taken_for_it()
    {
        var ledger = SequenceLedger.FromZero();
        Arrival[] verdicts = [.. new long[] { 0, 3, 2, 4, 4, 6 }.Select(ledger.Accept)];
        Assert.Equal([Arrival.InOrder, Arrival.InOrder, Arrival.Reordered, Arrival.InOrder, Arrival.Duplicate, Arrival.InOrder], verdicts);
        Assert.Equal(2, ledger.Missing(end: 7));        // 1 and 5
        Assert.Equal(5, ledger.Missing(end: 10));       // and 7, 8, 9
    }

    [Fact]
    public void A_stream_that_says_where_it_begins_may_be_late_from_the_start()
    {
        var ledger = SequenceLedger.FromFirstArrival();
        Assert.Equal(Arrival.InOrder, ledger.Accept(8));
        Assert.Equal(Arrival.Reordered, ledger.Accept(5));
        Assert.Equal(2, ledger.Missing(0));
        Assert.Equal(Arrival.Reordered, ledger.Accept(7));
        Assert.Equal(Arrival.Reordered, ledger.Accept(6));
        Assert.Equal(Arrival.Duplicate, ledger.Accept(6));
        Assert.Equal(0, ledger.Missing(0));
    }

    [Fact]
    public void Any_arrivals_are_judged_as_by_a_set_of_all_that_came() =>
        Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), ArbMap.Default.ArbFor<bool>(), (arrivals, fromZero) =>
        {
            // Small numbers, so that every kind of collision happens often.
            var numbers = arrivals.Select(b => (long)(b % 24)).ToArray();
            Compare(numbers, fromZero, end: 30);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Long_streams_with_losses_doubles_and_shuffles_are_judged_as_by_the_set(int seed)
    {
        var random = new Random(seed);
        var stream = new List<long>();
        for (var number = 0L; number < 50_000; number++)
        {
            if (random.Next(50) == 0)
                continue;
            var back = random.Next(20) == 0 ? Math.Min(stream.Count, random.Next(1, 40)) : 0;
            stream.Insert(stream.Count - back, number);
            if (random.Next(60) == 0)
                stream.Add(stream[random.Next(stream.Count)]);
        }

        Compare([.. stream], fromZero: true, end: 50_000);
    }

    [Fact]
    public void Too_many_holes_give_up_the_oldest_and_say_so()
    {
        var ledger = SequenceLedger.FromZero();
        for (var number = 1L; number <= 2 * SequenceLedger.MaxHoles; number += 2)
            ledger.Accept(number);
        Assert.False(ledger.Inexact);
        Assert.Equal(Arrival.InOrder, ledger.Accept((2 * SequenceLedger.MaxHoles) + 1));
        Assert.True(ledger.Inexact);
        Assert.Equal(Arrival.Duplicate, ledger.Accept(0));
        Assert.Equal(Arrival.Reordered, ledger.Accept(2));
        Assert.Equal(SequenceLedger.MaxHoles, ledger.Missing(0));
    }

    /// <summary>The definition, written down: a set of what came, and the greatest and least of it.</summary>
    private static void Compare(long[] numbers, bool fromZero, long end)
    {
        var ledger = fromZero ? SequenceLedger.FromZero() : SequenceLedger.FromFirstArrival();
        var seen = new HashSet<long>();
        var greatest = -1L;
        foreach (var number in numbers)
        {
            var expected = seen.Contains(number) ? Arrival.Duplicate : number < greatest ? Arrival.Reordered : Arrival.InOrder;
            Assert.Equal(expected, ledger.Accept(number));
            seen.Add(number);
            greatest = Math.Max(greatest, number);
        }

        var first = fromZero ? 0 : seen.Count == 0 ? end : seen.Min();
        if (fromZero || seen.Count > 0)
            Assert.Equal(Math.Max(end, greatest + 1) - first - seen.Count, ledger.Missing(end));
        Assert.False(ledger.Inexact);
    }
}
