using System.Globalization;
using System.Net;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Crowds;

/// <summary>Who comes: "200x30" is 200 addresses with 30 sockets each, "1x5000,200x5" one with 5,000 and then 200 with five each.</summary>
internal sealed class CrowdPlan
{
    private CrowdPlan(List<int> perAddress) => PerAddress = perAddress;

    /// <summary>Sockets of each address.</summary>
    public IReadOnlyList<int> PerAddress { get; }

    public int Count => PerAddress.Sum();

    public static CrowdPlan Parse(string text)
    {
        var perAddress = new List<int>();
        foreach (var group in text.Split(','))
        {
            if (group.Split('x') is not [var addresses, var each] || !int.TryParse(addresses, NumberStyles.None, CultureInfo.InvariantCulture, out var a)
                || !int.TryParse(each, NumberStyles.None, CultureInfo.InvariantCulture, out var n) || a < 1 || n < 1)
            {
                throw new BenchException($"'{text}' is no crowd; give ADDRESSESxSOCKETS, such as 200x30 or 1x5000,200x5");
            }

            perAddress.AddRange(Enumerable.Repeat(n, a));
        }

        return new CrowdPlan(perAddress);
    }

    /// <summary>The loopback addresses 127.0.1.1, 127.0.1.2 and so on, 250 of each third byte.</summary>
    public static NativeAddress SourceOf(int address) =>
        NativeAddress.From(new IPEndPoint(new IPAddress([127, 0, (byte)(1 + (address / 250)), (byte)(1 + (address % 250))]), 0));
}
