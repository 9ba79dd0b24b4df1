namespace Holdfast.Cli.Rehearse.Judging;

/// <summary>What was planted, and what the judge found where it was.</summary>
internal sealed record PlantedResult(IReadOnlyList<FaultPlace> Planted, IReadOnlyList<FaultPlace> Found)
{
    public IReadOnlyList<FaultPlace> Missed => Without(Planted, Found);

    public IReadOnlyList<FaultPlace> Unplanted => Without(Found, Planted);

    /// <summary>Exactly these, and at least one.</summary>
    public bool IsExact => Planted.Count > 0 && Missed.Count == 0 && Unplanted.Count == 0;

    public static PlantedResult Compare(IEnumerable<FaultPlace> planted, Verdict verdict) =>
        new([.. planted.Order()], [.. verdict.Findings.Select(f => f.Place).Order()]);

    /// <summary>Each place as often as it stands more often on the left.</summary>
    private static List<FaultPlace> Without(IReadOnlyList<FaultPlace> left, IReadOnlyList<FaultPlace> right)
    {
        var rest = left.ToList();
        foreach (var place in right)
            rest.Remove(place);
        return rest;
    }
}
