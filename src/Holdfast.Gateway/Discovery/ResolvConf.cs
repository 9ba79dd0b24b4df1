using System.Globalization;
using System.Net;

namespace Holdfast.Gateway.Discovery;

/// <summary>resolv.conf(5) as glibc reads it: what it does not know it skips, and its caps apply.</summary>
internal sealed record ResolvConf
{
    private const int MostServers = 3;

    /// <summary>As Kubernetes allows.</summary>
    private const int MostDomains = 32;

    /// <summary>In the order of asking; at least one, since without any glibc asks this machine.</summary>
    public IReadOnlyList<IPEndPoint> Servers { get; init; } = [new IPEndPoint(IPAddress.Loopback, 53)];

    /// <summary>Domains that are tried behind a name, without dots at the ends; empty text is the root.</summary>
    public IReadOnlyList<string> Search { get; init; } = [];

    /// <summary>A name with as many dots is tried as it is first. Default 1 (glibc); Kubernetes sets 5.</summary>
    public int Ndots { get; init; } = 1;

    /// <summary>For one question to one server. Default 5 s (glibc).</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Rounds over the servers. Default 2 (glibc).</summary>
    public int Attempts { get; init; } = 2;

    /// <summary>Asks over TCP only.</summary>
    public bool UseTcp { get; init; }

    /// <param name="hostName">This machine's: its domain is searched when the file names none.</param>
    public static ResolvConf Parse(string text, string hostName)
    {
        var servers = new List<IPEndPoint>();
        var dot = hostName.IndexOf('.', StringComparison.Ordinal);
        string[] search = dot > 0 ? [Domain(hostName[(dot + 1)..])] : [];
        var conf = new ResolvConf();
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            string[] words = line.ToString().Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            switch (words)
            {
                case ["nameserver", var server, ..] when servers.Count < MostServers && IPAddress.TryParse(server, out var ip):
                    servers.Add(new IPEndPoint(ip, 53));
                    break;
                case ["domain", var domain, ..]:
                    search = [Domain(domain)];
                    break;
                case ["search", .. var domains] when domains.Length > 0:
                    search = [.. domains.Take(MostDomains).Select(Domain)];
                    break;
                case ["options", .. var options]:
                    conf = options.Aggregate(conf, static (c, o) => c.With(o));
                    break;
            }
        }

        return conf with { Servers = servers.Count > 0 ? servers : conf.Servers, Search = search };
    }

    private static string Domain(string text) => text.TrimEnd('.').ToLowerInvariant();

    private ResolvConf With(string option)
    {
        var colon = option.IndexOf(':', StringComparison.Ordinal);
        var name = colon < 0 ? option : option[..colon];
        var hasNumber = int.TryParse(option.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        return name switch
        {
            "ndots" when hasNumber => this with { Ndots = Math.Min(number, 15) },
            "timeout" when hasNumber => this with { Timeout = TimeSpan.FromSeconds(Math.Clamp(number, 1, 30)) },
            "attempts" when hasNumber => this with { Attempts = Math.Clamp(number, 1, 5) },
            "use-vc" => this with { UseTcp = true },
            _ => this,
        };
    }
}
