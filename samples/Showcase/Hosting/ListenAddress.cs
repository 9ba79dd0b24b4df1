using System.Globalization;
using System.Net;

namespace Showcase.Hosting;

/// <summary>
/// Where this replica listens: <c>HOST</c> (an address or <c>localhost</c>, default 127.0.0.1) and <c>WEBSOCKET_PORT</c>, else <c>PORT</c>,
/// else 5080.
/// </summary>
internal static class ListenAddress
{
    private const int DefaultPort = 5080;

    /// <exception cref="FormatException">A value is no address or no port; the message names the variable and a good value.</exception>
    public static IPEndPoint FromEnvironment(Func<string, string?> variable)
    {
        var host = Given(variable("HOST"));
        IPAddress? address;
        if (host is null or "localhost")
            address = IPAddress.Loopback;
        else if (!IPAddress.TryParse(host, out address))
            throw new FormatException($"HOST is '{host}': an IP address such as 0.0.0.0 is needed");

        var name = Given(variable("WEBSOCKET_PORT")) is null ? "PORT" : "WEBSOCKET_PORT";
        var text = Given(variable(name));
        if (text is null)
            return new IPEndPoint(address, DefaultPort);
        if (!ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
            throw new FormatException($"{name} is '{text}': a port from 1 to 65535 is needed");
        return new IPEndPoint(address, port);
    }

    private static string? Given(string? value) => string.IsNullOrWhiteSpace(value) ? null : value.Trim();
}
