using Holdfast.Bench.Proc;

namespace Holdfast.Bench.Runs;

/// <summary>Whether the machine is busy with something else.</summary>
internal static class Quiet
{
    public const int Attempts = 4;

    // Of one core.
    private const double MostBefore = 0.10, MostMeanwhile = 0.10;
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(3), Patience = TimeSpan.FromMinutes(2);

    /// <summary>Returns when nothing much runs, or has waited long enough: then the result is judged by what ran meanwhile.</summary>
    public static async Task WaitAsync(BenchSettings settings)
    {
        if (settings.Noisy)
            return;
        var begin = TimeProvider.System.GetTimestamp();
        double busy;
        do
        {
            var before = OtherPrograms.Now([Environment.ProcessId]);
            await Task.Delay(Look);
            busy = OtherPrograms.Now([Environment.ProcessId]).CoresSince(before);
        }
        while (busy > MostBefore && TimeProvider.System.GetElapsedTime(begin) < Patience);
    }

    /// <summary>Why a run does not count; null: it does.</summary>
    public static string? Disturbance(BenchSettings settings, IEnumerable<Phase> phases)
    {
        foreach (var phase in settings.Noisy ? [] : phases)
        {
            if (phase.Steal > 0.01)
                return $"{phase.Name}: steal {phase.Steal:P1}";
            if (phase.OthersBusy > MostMeanwhile)
                return $"{phase.Name}: other programs used {phase.OthersBusy:P1} of a core";
            var maxLag = settings.MaxLag.TotalMilliseconds;
            if (phase.LagMax > maxLag || phase.LagP99 > maxLag / 10)
                return $"{phase.Name}: the load was late: p99 {phase.LagP99:0.0} ms, max {phase.LagMax:0.0} ms";
        }

        return null;
    }
}
