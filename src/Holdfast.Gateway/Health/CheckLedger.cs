using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Health;

/// <summary>
/// Counts an endpoint's checks in a row and tells when they make it healthy or unhealthy. Pure; times are the caller's, in any unit.
/// </summary>
/// <param name="isUnhealthy">As it is when its checks begin.</param>
internal sealed class CheckLedger(bool isUnhealthy)
{
    private int _inARow;

    public bool IsUnhealthy { get; private set; } = isUnhealthy;

    /// <summary>When the first of the failures in a row was known; null: the last check passed, or there was none.</summary>
    public long? FailingSince { get; private set; }

    /// <summary>When the last check that passed began; null: none has.</summary>
    public long? PassedAt { get; private set; }

    /// <summary>One more check. True: it changed <see cref="IsUnhealthy"/>.</summary>
    public bool Record(bool passed, long startedAt, long endedAt, HealthCheckOptions options)
    {
        var isFirst = passed ? PassedAt is null || FailingSince is not null : FailingSince is null;
        _inARow = isFirst ? 1 : Math.Min(_inARow + 1, int.MaxValue - 1);
        if (passed)
            (FailingSince, PassedAt) = (null, startedAt);
        else
            FailingSince ??= endedAt;
        if (passed != IsUnhealthy || _inARow < (passed ? options.HealthyAfter : options.UnhealthyAfter))
            return false;
        IsUnhealthy = !passed;
        return true;
    }
}
