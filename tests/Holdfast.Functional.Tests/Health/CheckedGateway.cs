using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Functional.Tests.Health;

/// <summary>A gateway that checks scripted endpoints every 100 ms.</summary>
internal static class CheckedGateway
{
    public const string Http = "http: {path: /healthz}", WebSocket = "websocket: {path: /ws}", Tcp = "tcp: {}";

    public static GatewaySetup Setup(string check, string more, params ScriptedEndpoint[] endpoints) => new()
    {
        Endpoints = [.. endpoints.Select(e => e.Port)],
        Backend = $"slowStart: 0s, {more}, health: {{{check}, interval: 100ms, unhealthyAfter: 2, healthyAfter: 2{(check.Contains("timeout", StringComparison.Ordinal) ? "" : ", timeout: 30s")}}}",
    };

    public static Task<GatewayFixture> StartAsync(string check, params ScriptedEndpoint[] endpoints) => StartAsync(check, "drain: {duration: 0s}", endpoints);

    public static Task<GatewayFixture> StartAsync(string check, string more, params ScriptedEndpoint[] endpoints) =>
        GatewayFixture.StartAsync(Setup(check, more, endpoints));

    public static EndpointState StateOf(GatewayFixture gateway, ScriptedEndpoint endpoint) =>
        gateway.Host.Runtime.Backends[^1].Endpoints.ToArray().Single(e => e.Address.Port == endpoint.Port);

    public static async Task ReadyAsync(GatewayFixture gateway, params ScriptedEndpoint[] endpoints)
    {
        foreach (var state in endpoints.Select(e => StateOf(gateway, e)))
            await Processes.UntilAsync(() => state is { Phase: EndpointPhase.Ready, Health: EndpointHealth.Healthy }, "the endpoint was ready and healthy");
    }
}
