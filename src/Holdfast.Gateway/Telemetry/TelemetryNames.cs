using System.Globalization;
using System.Text;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>
/// The one place that turns enum values into the snake_case words of metrics, access log and admin API. Strings are made once, so that a
/// look-up on a loop allocates nothing.
/// </summary>
internal static class TelemetryNames
{
    private static readonly string[] EndReasons = All<EndReason>();
    private static readonly string[] EndSides = All<EndSide>();
    private static readonly string[] Outcomes = All<HandshakeOutcome>();
    private static readonly string[] RequestOutcomes = All<RequestOutcome>();
    private static readonly string[] EndpointPhases = All<EndpointPhase>();
    private static readonly string[] EndpointHealths = All<EndpointHealth>();
    private static readonly string[] UnhealthyReasons = All<UnhealthyReason>();
    private static readonly string[] CheckOutcomes = All<CheckOutcome>();
    private static readonly string[] ConfigurationStates = All<ConfigurationState>();
    private static readonly string[] GatewayPhases = All<GatewayPhase>();
    private static readonly string[] LookupOutcomes = All<LookupOutcome>();
    private static readonly string[] DrainCauses = All<DrainCause>();
    private static readonly string[] RehomeCauses = All<RehomeCause>();
    private static readonly string[] RehomeOutcomes = All<RehomeOutcome>();
    private static readonly string[] LimitKinds = All<LimitKind>();

    public static string Of(EndReason value) => At(EndReasons, (int)value);

    public static string Of(EndSide value) => At(EndSides, (int)value);

    public static string Of(HandshakeOutcome value) => At(Outcomes, (int)value);

    public static string Of(RequestOutcome value) => At(RequestOutcomes, (int)value);

    public static string Of(EndpointPhase value) => At(EndpointPhases, (int)value);

    public static string Of(EndpointHealth value) => At(EndpointHealths, (int)value);

    public static string Of(UnhealthyReason value) => At(UnhealthyReasons, (int)value);

    public static string Of(CheckOutcome value) => At(CheckOutcomes, (int)value);

    public static string Of(ConfigurationState value) => At(ConfigurationStates, (int)value);

    public static string Of(GatewayPhase value) => At(GatewayPhases, (int)value);

    public static string Of(LookupOutcome value) => At(LookupOutcomes, (int)value);

    public static string Of(DrainCause value) => At(DrainCauses, (int)value);

    public static string Of(RehomeCause value) => At(RehomeCauses, (int)value);

    public static string Of(RehomeOutcome value) => At(RehomeOutcomes, (int)value);

    public static string Of(LimitKind value) => At(LimitKinds, (int)value);

    private static string At(string[] names, int value) => (uint)value < (uint)names.Length ? names[value] : "unknown";

    private static string[] All<T>()
        where T : struct, Enum
    {
        var names = new string[Enum.GetValues<T>().Max(static v => Convert.ToInt32(v, CultureInfo.InvariantCulture)) + 1];
        Array.Fill(names, "unknown");
        foreach (var value in Enum.GetValues<T>())
            names[Convert.ToInt32(value, CultureInfo.InvariantCulture)] = SnakeCase(value.ToString());
        return names;
    }

    private static string SnakeCase(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        foreach (var c in name)
        {
            if (char.IsAsciiLetterUpper(c) && text.Length > 0)
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
