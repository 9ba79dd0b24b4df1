using System.Net;
using System.Net.Sockets;

namespace Holdfast.Gateway.Discovery;

/// <summary>hosts(5). A name in it is not asked for elsewhere, as with glibc's usual order "files dns".</summary>
internal sealed class HostsFile(string text)
{
    private static readonly char[] Blanks = [' ', '\t'];

    /// <summary>Every address listed for the name, or null.</summary>
    /// <param name="name">With or without a dot at the end.</param>
    public NameAnswer? Find(string name)
    {
        var wanted = name.AsSpan().TrimEnd('.');
        List<IPAddress>? addresses = null;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            var entry = line.IndexOf('#') is >= 0 and var comment ? line[..comment] : line;
            if (!entry.Contains(wanted, StringComparison.OrdinalIgnoreCase))
                continue;
            var words = entry.ToString().Split(Blanks, StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 1 && words.AsSpan(1).Contains(wanted.ToString(), StringComparer.OrdinalIgnoreCase) && IPAddress.TryParse(words[0], out var address))
                (addresses ??= []).Add(address);
        }

        if (addresses is null && IsLocalhost(wanted))
            addresses = [IPAddress.Loopback, IPAddress.IPv6Loopback];
        return addresses is null ? null : new NameAnswer(name, FamilyOf(AddressFamily.InterNetwork), FamilyOf(AddressFamily.InterNetworkV6));

        FamilyAnswer FamilyOf(AddressFamily family) => FamilyAnswer.Of(addresses.Where(a => a.AddressFamily == family).Distinct(), TimeSpan.Zero);
    }

    /// <summary>Never a question for DNS (RFC 6761 section 6.3).</summary>
    private static bool IsLocalhost(ReadOnlySpan<char> name) =>
        name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
}
