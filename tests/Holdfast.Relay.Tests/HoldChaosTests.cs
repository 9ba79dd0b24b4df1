using System.Globalization;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Relay.Tests;

/// <summary>
/// Held connections under endpoints that do anything: no message is delivered twice or out of order, none is lost that is not counted unknown, and
/// nothing is left. HOLDFAST_HOLD_SEED takes the place of the first history's seed, HOLDFAST_HOLD_HISTORIES that of their number.
/// </summary>
[Collection(nameof(Alone))]
public sealed class HoldChaosTests
{
    [Fact]
    public void Histories_of_held_connections_keep_what_is_promised()
    {
        var seed = FromEnvironment("HOLDFAST_HOLD_SEED", 20_261);
        var histories = FromEnvironment("HOLDFAST_HOLD_HISTORIES", 400);
        var rehomes = new TestRehomePolicy();
        using var harness = new RelayHarness(new PairSettings(), new ManualClock(), rehomes: rehomes);
        var before = Sockets();
        for (var i = 0; i < histories; i++)
        {
            new HeldHistory(harness, rehomes, seed + i, firstId: 1 + (3 * i)).Run();
            rehomes.Places.Clear();
        }

        Assert.Equal(before, Sockets());
        // Otherwise nothing was tried.
        var completed = rehomes.Ends.Where(e => e.Outcome == RehomeOutcome.Completed).Select(e => e.Cause).ToHashSet();
        Assert.True(histories < 100 || completed.SetEquals(Enum.GetValues<RehomeCause>()), "a kind of re-home never happened");
    }

    /// <summary>Of the whole process, which opens files for itself meanwhile, but no sockets.</summary>
    private static int Sockets() =>
        Directory.GetFiles("/proc/self/fd").Count(f => new FileInfo(f).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);

    private static int FromEnvironment(string name, int otherwise) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
