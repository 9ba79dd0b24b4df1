using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Wire.Proxy;

namespace Holdfast.Fuzz.Proxy;

/// <summary>Addresses as text against the framework's own parser, which takes more notations: each that ours takes means the same there, and what it writes ours takes.</summary>
internal static class AddressTarget
{
    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length > 256)
            return;
        var text = Encoding.Latin1.GetString(data);
        var isOurs = AddressText.TryParse(data, out var bits);
        var isTheirs = IPAddress.TryParse(text, out var address);
        if (isOurs)
        {
            FuzzFailure.Unless(isTheirs, $"{text}: only ours takes it");
            FuzzFailure.UnlessEqual(BitsOf(address!), bits, text);
        }

        Port(data);
        if (!isTheirs || (address!.AddressFamily == AddressFamily.InterNetworkV6 && address.ScopeId != 0))
            return;
        var written = address.ToString();
        FuzzFailure.Unless(AddressText.TryParse(Encoding.Latin1.GetBytes(written), out var again), $"{written}: ours does not take it");
        FuzzFailure.UnlessEqual(BitsOf(address), again, written);
        FuzzFailure.Unless(isOurs || !string.Equals(text, written, StringComparison.OrdinalIgnoreCase), $"{text}: ours does not take it");
    }

    private static void Port(ReadOnlySpan<byte> data)
    {
        var text = Encoding.Latin1.GetString(data);
        var expected = text.Length is > 0 and <= 5 && text.All(char.IsAsciiDigit) && int.Parse(text, CultureInfo.InvariantCulture) <= 65535;
        FuzzFailure.UnlessEqual(expected, AddressText.TryParsePort(data, out var port), $"port {text}");
        FuzzFailure.UnlessEqual(expected ? int.Parse(text, CultureInfo.InvariantCulture) : 0, port, $"port {text}");
    }

    private static UInt128 BitsOf(IPAddress address)
    {
        var v6 = address.AddressFamily == AddressFamily.InterNetwork ? address.MapToIPv6() : address;
        return AddressText.Read(v6.GetAddressBytes());
    }
}
