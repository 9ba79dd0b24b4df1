using Holdfast.Bench.Crowds;
using Holdfast.Bench.Peers;

namespace Holdfast.Bench.Runs;

/// <summary>One kind of storm, and who paces it.</summary>
/// <param name="Crowd">As <see cref="CrowdPlan"/> reads it.</param>
/// <param name="Handshakes">Holdfast's, as in its file.</param>
/// <param name="BackendRate">Handshakes per second that the backend takes; 0: any, it only counts.</param>
/// <param name="Expected">Handshakes per second that should come through.</param>
internal sealed record StormVariant(string Name, string Crowd, string Handshakes, int BackendRate, int Expected, string Told)
{
    /// <summary>Handshakes that wait at the backend at most; the default of inFlightPerEndpoint.</summary>
    public const int BackendLine = 64;

    private const int Rate = 300;
    private const string Even = "200x30", Uneven = "1x5000,5x6,194x5", Queue = "queue: 8192, queueTimeout: 60s";

    public static IReadOnlyList<StormVariant> All { get; } =
    [
        new("gate", Even, $"handshakes: {{ratePerSecond: 300, {Queue}}}", Rate, Rate,
            "6,000 handshakes at once, 30 each from 200 addresses; the backend takes one each 3.33 ms, lets 64 wait and answers 503 to more"),
        new("in-flight", Even, $"handshakes: {{{Queue}}}", Rate, Rate, "the same without `ratePerSecond`: only `inFlightPerEndpoint` (64) holds the gateway back"),
        new("paced", Even, $"handshakes: {{ratePerSecond: 300, burst: 30, {Queue}}}", 0, Rate, "a backend that takes all at once: only the gateway's own rate, with a burst of 30, holds it back"),
        new("abuser", Uneven, $"handshakes: {{ratePerSecond: 300, {Queue}}}", Rate, Rate, "as `gate`, but 5,000 of the handshakes come from one address, first of all, and 1,000 from 199 others"),
    ];

    public CrowdPlan Plan => CrowdPlan.Parse(Crowd);

    /// <summary>The longest that the clients wait, and the gateway lets them.</summary>
    public TimeSpan Patience { get; } = TimeSpan.FromSeconds(70);

    public TimeSpan Ideal => TimeSpan.FromSeconds((double)Plan.Count / Expected);

    /// <summary>When the last of all but the first address would be served by turns.</summary>
    public TimeSpan IdealForOthers => TimeSpan.FromSeconds((double)Plan.PerAddress.Skip(1).Max() * Plan.PerAddress.Count / Expected);

    /// <summary>What the system is told of handshakes, in its own words; the peers' paced forms hold them back in the order in which they came.</summary>
    public string HandshakesOf(string system) => system switch
    {
        Peer.Holdfast => Handshakes,
        Peer.NginxPaced => "limit_req zone=all burst=8192;          # delays what is over 300/s (ngx_http_limit_req_module: limit_req)",
        Peer.HaproxyPaced => "rate-limit sessions 300         # more wait in the socket's backlog [4.2 rate-limit sessions]",
        _ => "",
    };
}
