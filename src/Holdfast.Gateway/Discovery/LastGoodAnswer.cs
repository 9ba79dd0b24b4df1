using System.Net;

namespace Holdfast.Gateway.Discovery;

/// <summary>
/// The addresses that are believed: those of the last good answer, for each family by itself. What failed concludes nothing, and neither does
/// an answer without any address: a name server that has lost its data must not empty a backend. Not thread-safe.
/// </summary>
internal sealed class LastGoodAnswer
{
    private IPAddress[] _v4 = [], _v6 = [], _addresses = [];

    /// <summary>IPv4 first, each family in the order of its numbers, so that equal answers give equal lists. Never written again.</summary>
    public IReadOnlyList<IPAddress> Addresses => _addresses;

    /// <summary>True: <see cref="Addresses"/> are others than before.</summary>
    public bool Take(NameAnswer answer)
    {
        if (!answer.HasAddresses)
            return false;
        _v4 = Family(answer.V4, _v4);
        _v6 = Family(answer.V6, _v6);
        IPAddress[] addresses = [.. _v4, .. _v6];
        if (addresses.AsSpan().SequenceEqual(_addresses))
            return false;
        _addresses = addresses;
        return true;
    }

    private static IPAddress[] Family(FamilyAnswer answer, IPAddress[] last) => answer.Outcome switch
    {
        LookupOutcome.Good => [.. answer.Addresses.Distinct().Order(ByNumber)],
        LookupOutcome.Empty => [],
        _ => last,
    };

    private static readonly Comparer<IPAddress> ByNumber = Comparer<IPAddress>.Create(static (a, b) => a.GetAddressBytes().AsSpan().SequenceCompareTo(b.GetAddressBytes()));
}
