using Holdfast.Bench.Crowds;

namespace Holdfast.Bench.Runs;

/// <summary>
/// How evenly a storm's addresses were served, from when all have come and those that were under way then have their answers: before that some had nobody to share with.
/// </summary>
/// <param name="WorstRatio">At each 101: what the address served most often has had, over what the one served least has had of those that still wait; both plus one. 1 is even.</param>
/// <param name="WorstSpread">The same as a difference.</param>
/// <param name="Breaches">101s at which the first had more than twice the last's, and two.</param>
/// <param name="WindowRatio">The most over the least that addresses got in any window of two seconds, among those that waited throughout.</param>
/// <param name="OutOfTurn">101s to an address that then had two or more than another that waited.</param>
/// <param name="Counted">101s that this is about.</param>
internal sealed record Fairness(double WorstRatio, int WorstSpread, int Breaches, double WindowRatio, int OutOfTurn, int Counted)
{
    private const long Window = 2_000_000;

    /// <param name="underWay">Handshakes that are at the backend at once, past the queue.</param>
    public static Fairness Of(IReadOnlyList<StormHandshake> storm, int underWay)
    {
        var addresses = storm.Max(h => h.Address) + 1;
        var allCame = storm.Max(h => h.SentAt);
        var served = storm.Where(h => h.Outcome == "101" && h.DecidedAt > allCame).OrderBy(h => h.DecidedAt).Skip(underWay).ToArray();
        var lastServed = Of(storm, addresses, group => group.Max(h => h.Outcome == "101" ? h.DecidedAt : 0));
        var counts = new int[addresses];
        var (worstRatio, worstSpread, breaches, outOfTurn) = (1.0, 0, 0, 0);
        foreach (var one in served)
        {
            counts[one.Address]++;
            // Whose last has come is owed nothing.
            var least = int.MaxValue;
            for (var a = 0; a < addresses; a++)
            {
                if (lastServed[a] > one.DecidedAt && counts[a] < least)
                    least = counts[a];
            }

            if (least == int.MaxValue)
                continue;
            var most = counts.Max();
            worstRatio = Math.Max(worstRatio, (most + 1.0) / (least + 1));
            worstSpread = Math.Max(worstSpread, most - least);
            if (most > (2 * least) + 2)
                breaches++;
            if (counts[one.Address] > least + 1)
                outOfTurn++;
        }

        return new Fairness(worstRatio, worstSpread, breaches, WorstWindow(served, addresses, lastServed), outOfTurn, served.Length);
    }

    private static long[] Of(IReadOnlyList<StormHandshake> storm, int addresses, Func<IEnumerable<StormHandshake>, long> value)
    {
        var values = new long[addresses];
        foreach (var group in storm.GroupBy(h => h.Address))
            values[group.Key] = value(group);
        return values;
    }

    private static double WorstWindow(StormHandshake[] served, int addresses, long[] lastServed)
    {
        var worst = 1.0;
        if (served.Length == 0)
            return worst;
        for (var from = served[0].DecidedAt; from + Window <= served[^1].DecidedAt; from += Window / 4)
        {
            var counts = new int[addresses];
            foreach (var one in served)
            {
                if (one.DecidedAt >= from && one.DecidedAt < from + Window)
                    counts[one.Address]++;
            }

            var waiting = Enumerable.Range(0, addresses).Where(a => lastServed[a] >= from + Window).Select(a => counts[a]).ToArray();
            if (waiting.Length > 1)
                worst = Math.Max(worst, waiting.Min() == 0 ? double.PositiveInfinity : (double)waiting.Max() / waiting.Min());
        }

        return worst;
    }
}
