using System.Net;
using Holdfast.Gateway.Telemetry;

namespace Holdfast.Gateway.Discovery;

/// <summary>What a look-up came to. Of several the greatest is told: it says least about the name. The words leave the process in metrics.</summary>
internal enum LookupOutcome
{
    /// <summary>Addresses; a family without any said so itself.</summary>
    Good = 0,

    /// <summary>One family has addresses, the other failed.</summary>
    Partial = 1,

    /// <summary>The name does not exist.</summary>
    Nxdomain = 2,

    /// <summary>The name exists and has no address that can be dialled.</summary>
    Empty = 3,

    Refused = 4,

    /// <summary>SERVFAIL, or another code that says nothing of the name.</summary>
    Servfail = 5,

    /// <summary>Only bytes that break the format came, or a TCP answer that broke off.</summary>
    Malformed = 6,

    Timeout = 7,

    /// <summary>No name server took the question.</summary>
    Unreachable = 8,
}

/// <summary>What the name servers said of one family of addresses.</summary>
/// <param name="Outcome">Good when there are addresses; never Partial.</param>
/// <param name="TimeToLive">For how long caches may keep it; zero without addresses.</param>
internal sealed record FamilyAnswer(LookupOutcome Outcome, IReadOnlyList<IPAddress> Addresses, TimeSpan TimeToLive)
{
    public static FamilyAnswer Of(IEnumerable<IPAddress> addresses, TimeSpan timeToLive)
    {
        IPAddress[] usable = [.. addresses.Where(IsUsable)];
        return usable.Length > 0 ? new FamilyAnswer(LookupOutcome.Good, usable, timeToLive) : Failed(LookupOutcome.Empty);
    }

    public static FamilyAnswer Failed(LookupOutcome outcome) => new(outcome, [], TimeSpan.Zero);

    /// <summary>
    /// Whether an endpoint can be there. Blocking name servers answer 0.0.0.0 and ::, which would be this very machine; link-local addresses
    /// say nothing without their interface, which DNS cannot carry; an IPv4 address in IPv6's clothes would be a second endpoint of one pod.
    /// Loopback is fine: names of the machine itself.
    /// </summary>
    private static bool IsUsable(IPAddress address)
    {
        if (address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork)
        {
            Span<byte> bytes = stackalloc byte[4];
            return address.TryWriteBytes(bytes, out _) && bytes[0] is > 0 and < 224;
        }

        return !address.Equals(IPAddress.IPv6Any) && !address.IsIPv6Multicast && !address.IsIPv4MappedToIPv6 && (!address.IsIPv6LinkLocal || address.ScopeId != 0);
    }
}

/// <summary>What a look-up found.</summary>
/// <param name="FullName">The name that the answer is about, with the search domain that it was found in.</param>
internal sealed record NameAnswer(string FullName, FamilyAnswer V4, FamilyAnswer V6)
{
    public LookupOutcome Outcome { get; } = (V4.Outcome, V6.Outcome) switch
    {
        (LookupOutcome.Good, LookupOutcome.Good or LookupOutcome.Empty) or (LookupOutcome.Empty, LookupOutcome.Good) => LookupOutcome.Good,
        (LookupOutcome.Good, _) or (_, LookupOutcome.Good) => LookupOutcome.Partial,
        var (v4, v6) => (LookupOutcome)Math.Max((int)v4, (int)v6),
    };

    public bool HasAddresses => V4.Outcome == LookupOutcome.Good || V6.Outcome == LookupOutcome.Good;

    /// <summary>The lesser of both families' that have addresses.</summary>
    public TimeSpan TimeToLive => V4.Outcome != LookupOutcome.Good || (V6.Outcome == LookupOutcome.Good && V6.TimeToLive < V4.TimeToLive) ? V6.TimeToLive : V4.TimeToLive;

    /// <summary>For logs.</summary>
    public override string ToString() => $"A {TelemetryNames.Of(V4.Outcome)}, AAAA {TelemetryNames.Of(V6.Outcome)}";
}
