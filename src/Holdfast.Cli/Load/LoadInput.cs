using System.Globalization;
using System.Net;

namespace Holdfast.Cli.Load;

/// <summary>The command line as typed, and its reading into <see cref="LoadOptions"/> with every fault named at once.</summary>
internal sealed record LoadInput
{
    // One day: longer is surely a slip, and the sequence numbers (32 bits per connection) last.
    private static readonly TimeSpan LongestDuration = TimeSpan.FromDays(1);

    public required string Url { get; init; }

    public int Connections { get; init; } = 100;

    public double? Rate { get; init; }

    public string Duration { get; init; } = "10s";

    public int Size { get; init; } = 64;

    public string Check { get; init; } = "echo";

    public int ConnectRate { get; init; } = 1000;

    public IReadOnlyList<string> Headers { get; init; } = [];

    public string? Origin { get; init; }

    public IReadOnlyList<string> Sources { get; init; } = [];

    public int Threads { get; init; } = 1;

    /// <summary>Null when there are faults.</summary>
    public LoadOptions? Read(List<string> faults)
    {
        var url = ReadUrl(faults);
        var duration = ReadDuration(faults);
        void Demand(bool holds, string fault)
        {
            if (!holds)
                faults.Add(fault);
        }

        Demand(Connections is >= 1 and <= 1_000_000, $"--connections {Connections}: give 1 to 1000000, such as 100");
        Demand(Rate is null or (>= 0 and <= 10_000_000), $"--rate {Rate}: give 0 to 10000000 messages per second, such as 100");
        Demand(Size is >= EchoPayload.MinSize and <= LoadOptions.MaxSize,
            $"--size {Size}: give {EchoPayload.MinSize} (what the check needs) to {LoadOptions.MaxSize} bytes, such as 64");
        Demand(ConnectRate is >= 1 and <= 1_000_000, $"--connect-rate {ConnectRate}: give 1 to 1000000 per second, such as 1000");
        Demand(Threads >= 1 && Threads <= Math.Clamp(Connections, 1, 64),
            $"--threads {Threads}: give 1 to 64, and no more than there are connections");
        Demand(Check != "sequence" || Rate is null or > 0, "--rate 0 with --check sequence: give the rate of the stream, such as 100");
        Demand(Origin is null || ClientHandshake.MayAdd("x", Origin), "--origin: control characters are not allowed");
        var headers = ReadHeaders(faults);
        var sources = ReadSources(faults);
        return faults.Count > 0 ? null : new LoadOptions
        {
            Url = url!,
            Connections = Connections,
            Rate = Rate,
            Duration = duration,
            Size = Size,
            Check = Check == "sequence" ? LoadCheck.Sequence : LoadCheck.Echo,
            ConnectRate = ConnectRate,
            Headers = headers,
            Origin = Origin,
            Sources = sources,
            Threads = Threads,
        };
    }

    private Uri? ReadUrl(List<string> faults)
    {
        if (Uri.TryCreate(Url, UriKind.Absolute, out var url) && url.Scheme == Uri.UriSchemeWs && url.Host.Length > 0 && url.UserInfo.Length == 0)
            return url;
        faults.Add(url?.Scheme == Uri.UriSchemeWss
            ? $"URL {Url}: TLS (wss://) is not supported by load; give the ws:// address"
            : $"URL {Url}: give a WebSocket address such as ws://127.0.0.1:8080/ws");
        return null;
    }

    private TimeSpan ReadDuration(List<string> faults)
    {
        (string Unit, double Seconds)[] units = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("", 1)];
        foreach (var (unit, seconds) in units)
        {
            if (!Duration.EndsWith(unit, StringComparison.Ordinal)
                || !double.TryParse(Duration[..^unit.Length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                continue;
            }

            if (number * seconds > 0 && number * seconds <= LongestDuration.TotalSeconds)
                return TimeSpan.FromSeconds(number * seconds);
            break;
        }

        faults.Add($"--duration {Duration}: give a time over 0 and up to 24h, such as 10s, 5m or 500ms");
        return default;
    }

    private List<KeyValuePair<string, string>> ReadHeaders(List<string> faults)
    {
        var headers = new List<KeyValuePair<string, string>>();
        foreach (var header in Headers)
        {
            var colon = header.IndexOf(':', StringComparison.Ordinal);
            var name = colon < 0 ? "" : header[..colon].Trim();
            var value = header[(colon + 1)..].Trim();
            if (ClientHandshake.MayAdd(name, value))
                headers.Add(new(name, value));
            else
                faults.Add($"--header '{header}': give 'Name: value', such as 'X-Tenant: a', and none of the handshake's own (see --origin)");
        }

        return headers;
    }

    private List<IPAddress> ReadSources(List<string> faults)
    {
        var sources = new List<IPAddress>();
        foreach (var source in Sources)
        {
            if (IPAddress.TryParse(source, out var address))
                sources.Add(address);
            else
                faults.Add($"--source {source}: give an address of this machine, such as 127.0.0.2");
        }

        return sources;
    }
}
