using System.Globalization;
using System.Text;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// When a polite client comes back, as docs/draining.md says: at the time that the Close's reason asks for, else after a random part of a pause
/// that doubles from 1 s to 30 s while connecting fails. Pure but for its randomness.
/// </summary>
internal static class ReconnectPause
{
    private const string Hint = "retry-after=";
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <param name="attempt">0: the first after an end.</param>
    /// <param name="reason">Of the Close; empty: there was none.</param>
    /// <param name="random">From 0 to 1.</param>
    public static TimeSpan Next(int attempt, ReadOnlySpan<byte> reason, double random)
    {
        var text = Encoding.UTF8.GetString(reason);
        var at = text.IndexOf(Hint, StringComparison.Ordinal);
        if (attempt == 0 && at >= 0)
        {
            var digits = text.AsSpan(at + Hint.Length);
            var end = digits.IndexOfAnyExceptInRange('0', '9');
            if (int.TryParse(end < 0 ? digits : digits[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var asked))
                return TimeSpan.FromMilliseconds(Math.Min(asked, Longest.TotalMilliseconds));
        }

        return random * TimeSpan.FromSeconds(Math.Min(Longest.TotalSeconds, Math.Pow(2, Math.Min(attempt, 10))));
    }
}
