using System.Globalization;

namespace Holdfast.Bench.Peers;

/// <summary>The templates in <c>bench/peers</c> and the command lines of the systems.</summary>
internal static class PeerConfiguration
{
    /// <summary>In the names of the templates for benches with crowds.</summary>
    public const string Crowd = "crowd.";

    /// <summary>In the names of the templates for benches of pages and TLS.</summary>
    public const string Http = "http.";

    /// <summary>The tool that is measured; the one built beside the bench unless given.</summary>
    public static string HoldfastTool { get; set; } = Path.Combine(AppContext.BaseDirectory, "holdfast.dll");

    public static string FileNameOf(string peer) => peer switch
    {
        Peer.Nginx or Peer.NginxPaced => "nginx.conf",
        Peer.Haproxy or Peer.HaproxyPaced => "haproxy.cfg",
        _ => "holdfast.yaml",
    };

    /// <param name="kind">A bench whose templates differ, with a dot; empty: the common ones.</param>
    public static string Template(string peer, string kind = "") =>
        File.ReadAllText(Path.Combine(Repository.Root, "bench", "peers", kind + FileNameOf(peer)));

    /// <summary>Endpoints in the system's own syntax.</summary>
    public static string ListOf(string peer, IEnumerable<string> endpoints) => peer switch
    {
        Peer.Nginx or Peer.NginxPaced => string.Join("\n        ", endpoints.Select(e => $"server {e};")),
        Peer.Haproxy or Peer.HaproxyPaced => string.Join("\n    ", endpoints.Select((e, i) => $"server e{i + 1} {e}")),
        _ => string.Join(", ", endpoints.Select(e => $"\"{e}\"")),
    };

    public static string Render(string peer, int port, int admin, string prefix, string kind = "") =>
        Template(peer, kind)
            .Replace("{{port}}", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{{admin}}", admin.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{{prefix}}", prefix, StringComparison.Ordinal)
            .Replace("{{hold}}", HoldOf(peer), StringComparison.Ordinal);

    private static string HoldOf(string peer) => peer switch
    {
        Peer.HeldOpaque => "{protocol: opaque}",
        Peer.HeldJson => "{protocol: json, json: {set: [{match: {op: subscribe}, key: [channel]}]}}",
        _ => "{protocol: none}",
    };

    /// <param name="reloads">HAProxy with a master process: it cannot be told to reload without.</param>
    public static string[] CommandOf(string peer, string prefix, string configuration, bool reloads = false) => peer switch
    {
        Peer.Nginx or Peer.NginxPaced => ["nginx", "-p", prefix, "-c", configuration],
        Peer.Haproxy or Peer.HaproxyPaced => ["haproxy", reloads ? "-W" : "-db", "-q", "-f", configuration],
        _ => ["dotnet", HoldfastTool, "gateway", "--config", configuration, "--loops", "1"],
    };
}
