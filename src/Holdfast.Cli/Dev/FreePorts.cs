using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Holdfast.Cli.Dev;

/// <summary>Finds ports that nobody listens on.</summary>
internal static class FreePorts
{
    private const int Lowest = 20_000;
    private const int UsualEphemeralStart = 32_768;

    /// <summary>
    /// Picks ports below the kernel's ephemeral range, so that no outgoing connection takes a replica's port while the replica is being started
    /// again.
    /// </summary>
    /// <param name="count">How many.</param>
    /// <param name="random">The source of randomness.</param>
    /// <param name="except">Not these, free or not.</param>
    /// <exception cref="IOException">None is left.</exception>
    public static IReadOnlyList<int> Pick(int count, Random random, IReadOnlyCollection<int>? except = null)
    {
        var end = EphemeralStart();
        var start = end > Lowest + 1000 ? Lowest : 1024;
        var picked = new List<int>(count);
        for (var attempt = 0; picked.Count < count && attempt < 1000 + count; attempt++)
        {
            var port = random.Next(start, end);
            if (!picked.Contains(port) && except?.Contains(port) != true && IsFree(IPAddress.Any, port))
                picked.Add(port);
        }

        return picked.Count == count ? picked : throw new IOException("no free port was found for a replica");
    }

    /// <summary>Whether one could listen there right now.</summary>
    public static bool IsFree(IPAddress address, int port)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(address, port));
            socket.Listen(1);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int EphemeralStart()
    {
        try
        {
            var range = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split('\t', ' ');
            var isNumber = int.TryParse(range[0], NumberStyles.None, CultureInfo.InvariantCulture, out var start);
            return isNumber && start > 2048 ? start : UsualEphemeralStart;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return UsualEphemeralStart;
        }
    }
}
