namespace Holdfast.Cli.Dev;

/// <summary>
/// How long an ended process waits for its next start: 250 ms, doubling to 8 s, from the beginning again after 10 s of being ready. Half of each
/// is random, so that replicas that died together do not start together. Not thread-safe.
/// </summary>
internal sealed class RestartBackOff(Random random)
{
    internal static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    internal static readonly TimeSpan Longest = TimeSpan.FromSeconds(8);
    internal static readonly TimeSpan ResetAfter = TimeSpan.FromSeconds(10);

    private TimeSpan _next = First;

    /// <param name="readyFor">How long the process that just ended had been ready; zero when it never was.</param>
    public TimeSpan Next(TimeSpan readyFor)
    {
        var bound = readyFor >= ResetAfter ? First : _next;
        _next = bound * 2 < Longest ? bound * 2 : Longest;
        return bound / 2 + bound / 2 * random.NextDouble();
    }
}
