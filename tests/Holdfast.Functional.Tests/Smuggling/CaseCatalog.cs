using Holdfast.Functional.Tests.Smuggling.Families;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>All cases over HTTP/1.</summary>
internal static class CaseCatalog
{
    private static readonly Lazy<IReadOnlyList<SmugglingCase>> Cases = new(static () =>
    [
        .. ((Family[])
        [
            EncodingFamily.Create(), LengthFamily.Create(), ChunkFamily.Create(), TrailerFamily.Create(), ByteFamily.Create(), HostFamily.Create(), RequestLineFamily.Create(), ConnectionFamily.CreateConnection(),
            ConnectionFamily.CreateForgery(), ConnectionFamily.CreateExpect(), UpgradeFamily.Create(), SequenceFamily.CreatePipelines(), SequenceFamily.CreateMethods(),
        ]).SelectMany(f => f.Cases).DistinctBy(c => c.Text),
    ]);

    /// <summary>No two have the same bytes.</summary>
    public static IReadOnlyList<SmugglingCase> All => Cases.Value;
}
