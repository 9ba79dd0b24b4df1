namespace Holdfast.Gateway.Telemetry;

/// <summary>What this build calls itself.</summary>
internal static class GatewayVersion
{
    public static string Text { get; } = typeof(GatewayVersion).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
