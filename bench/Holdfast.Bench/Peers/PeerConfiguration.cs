using System.Globalization;

namespace Holdfast.Bench.Peers;

/// <summary>The templates in <c>bench/peers</c> and the command lines of the systems.</summary>
internal static class PeerConfiguration
{
    /// <summary>The tool that is measured; the one built beside the bench unless given.</summary>
    public static string HoldfastTool { get; set; } = Path.Combine(AppContext.BaseDirectory, "holdfast.dll");

    public static string FileNameOf(string peer) => peer switch
    {
        Peer.Nginx => "nginx.conf",
        Peer.Haproxy => "haproxy.cfg",
        _ => "holdfast.yaml",
    };

    public static string Template(string peer) => File.ReadAllText(Path.Combine(Repository.Root, "bench", "peers", FileNameOf(peer)));

    public static string Render(string peer, int port, int admin, string prefix, IReadOnlyList<string> endpoints)
    {
        var list = peer switch
        {
            Peer.Nginx => string.Join("\n        ", endpoints.Select(e => $"server {e};")),
            Peer.Haproxy => string.Join("\n    ", endpoints.Select((e, i) => $"server e{i + 1} {e}")),
            _ => string.Join(", ", endpoints.Select(e => $"\"{e}\"")),
        };
        return Template(peer)
            .Replace("{{port}}", port.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{{admin}}", admin.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{{prefix}}", prefix, StringComparison.Ordinal)
            .Replace("{{endpoints}}", list, StringComparison.Ordinal);
    }

    public static string[] CommandOf(string peer, string prefix, string configuration) => peer switch
    {
        Peer.Nginx => ["nginx", "-p", prefix, "-c", configuration],
        Peer.Haproxy => ["haproxy", "-db", "-q", "-f", configuration],
        _ => ["dotnet", HoldfastTool, "gateway", "--config", configuration, "--loops", "1"],
    };
}
