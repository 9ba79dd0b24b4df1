using System.Globalization;
using Holdfast.Api.Configuration;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>The gateway's configuration: its defaults, but for the pace of a drain and what a connection is held in.</summary>
internal static class HoldfastConfiguration
{
    /// <summary>A cold replica is nothing to spare here, as in <c>holdfast dev</c>: slow start would send clients back to replicas that are rolled next.</summary>
    public static string Text(SystemSetting setting, int port, int adminPort, IReadOnlyList<string> endpoints) => string.Create(CultureInfo.InvariantCulture, $$"""
        # Written by holdfast rehearse.
        listeners:
          - {name: web, address: "127.0.0.1:{{port}}"}
        admin: {address: "127.0.0.1:{{adminPort}}"}
        routes:
          - path: {prefix: /}
            backend: {{SystemSetting.Backend}}
        backends:
          {{SystemSetting.Backend}}:
            endpoints: [{{string.Join(", ", endpoints.Select(e => $"\"{e}\""))}}]
            slowStart: 0s
            drain: {duration: {{setting.Drain.TotalMilliseconds}}ms}
        {{(setting.Hold ? Hold(setting) : "")}}
        shutdown: {delay: 0s, duration: 0s}

        """);

    private static string Hold(SystemSetting setting)
    {
        var mode = setting.Mode == HoldMode.MakeFirst ? "makeFirst" : "breakFirst";
        return setting.Protocol == RehearseProtocol.Json
            ? $$"""
                    hold:
                      protocol: json
                      mode: {{mode}}
                      json:
                        set: [{match: {op: subscribe}, key: [channel], resume: since}]
                        replies: [{match: {type: subscribed}, key: [channel]}]
                        sequence: {path: seq, key: [channel]}
                """
            : $"    hold: {{protocol: {setting.Protocol.NameOf()}, mode: {mode}, overlap: 3s}}";   // A replica that has just started attaches late on a busy machine.
    }
}
