namespace Holdfast.Fuzz;

/// <summary>Ways to cut an input into the pieces in which it arrives.</summary>
internal static class Splits
{
    /// <summary>Lengths that add up to <paramref name="total"/>: mostly small, some large, some empty.</summary>
    public static IEnumerable<int> Random(int total, Random random)
    {
        while (total > 0)
        {
            int piece = random.Next(8) switch
            {
                0 => 0,
                1 => random.Next(total + 1),
                2 => random.Next(Math.Min(total, 200) + 1),
                _ => 1 + random.Next(Math.Min(total, 12)),
            };
            total -= piece;
            yield return piece;
        }
    }

    /// <summary>One byte at a time.</summary>
    public static IEnumerable<int> Bytes(int total) => Enumerable.Repeat(1, total);

    /// <summary>All at once.</summary>
    public static IEnumerable<int> Whole(int total) => [total];
}
