using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>How a backend's connections are held.</summary>
internal static class HoldValidator
{
    private const int LeastBuffer = 4 * 1024;
    private const int MostBuffer = 64 * 1024 * 1024;
    private const long LeastTotal = 1L << 20;
    private const long MostTotal = 64L << 30;
    private const int MostRate = 100_000;

    private static readonly TimeSpan LongestStep = TimeSpan.FromMinutes(1);

    public static void Validate(HoldOptions hold, string key, FaultCollector faults)
    {
        ValidateTimes(hold, key, faults);
        if (hold.Buffer is < LeastBuffer or > MostBuffer)
            faults.Invalid(key + ".buffer", Say($"{hold.Buffer} bytes are not from 4KiB to 64MiB; write for example 256KiB"));
        if (hold.RatePerSecond is < 1 or > MostRate)
            faults.Invalid(key + ".ratePerSecond", Say($"{hold.RatePerSecond} is not from 1 to {MostRate}; write for example 1000"));

        // What a value that could not be read was meant to be is not known.
        if (faults.IsDamaged(key + ".protocol"))
            return;
        if (hold is { Protocol: HoldProtocol.Opaque, Mode: HoldMode.MakeFirst })
            faults.Invalid(key + ".mode",
                "with protocol opaque there is nothing to overlap: what the old endpoint would have to serve on is not known to the gateway; write breakFirst");
        if (hold.Protocol == HoldProtocol.Json && hold.Json is null)
            faults.Invalid(key + ".json", "is required with protocol json; write for example `json: {set: [{match: {op: subscribe}, key: [channel]}]}`");
        else if (hold.Protocol != HoldProtocol.Json && hold.Json is not null)
            faults.Invalid(key + ".json", "has rules for protocol json, which is not chosen; write `protocol: json` beside it, or remove it");
        if (hold.Json is not null)
            JsonHoldValidator.Validate(hold.Json, key + ".json", faults);
    }

    public static void ValidateTotal(long bytes, FaultCollector faults)
    {
        if (bytes is < LeastTotal or > MostTotal)
            faults.Invalid("bufferTotal", Say($"{bytes} bytes are not from 1MiB to 64GiB; write for example 64MiB"));
    }

    private static void ValidateTimes(HoldOptions hold, string key, FaultCollector faults)
    {
        Between(hold.Overlap, TimeSpan.Zero, LongestStep, "1s", key + ".overlap", faults);
        Between(hold.Quiet, TimeSpan.Zero, LongestStep, "500ms", key + ".quiet", faults);
        Between(hold.QuietMax, TimeSpan.Zero, TimeSpan.FromMinutes(5), "5s", key + ".quietMax", faults);
        Between(hold.Fence, TimeSpan.FromMilliseconds(50), LongestStep, "1s", key + ".fence", faults);
        Between(hold.Patience, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), "30s", key + ".patience", faults);
        if (hold.QuietMax < hold.Quiet && hold.Quiet <= LongestStep && !faults.IsDamaged(key + ".quiet"))
            faults.Invalid(key + ".quietMax",
                $"{Units.Format(hold.QuietMax)} is shorter than quiet, {Units.Format(hold.Quiet)}, so that no endpoint would ever be quiet; write for example {Units.Format(hold.Quiet * 5)}");
    }

    private static void Between(TimeSpan value, TimeSpan least, TimeSpan most, string example, string key, FaultCollector faults)
    {
        if (value < least || value > most)
            faults.Invalid(key, $"{Units.Format(value)} is not from {Units.Format(least)} to {Units.Format(most)}; write for example {example}");
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
