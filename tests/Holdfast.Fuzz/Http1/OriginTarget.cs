using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Holdfast.Wire.Http1;

namespace Holdfast.Fuzz.Http1;

/// <summary>Origins against a regular expression; and what is taken means the same to the framework's URI parser, user, path and all.</summary>
internal static class OriginTarget
{
    private static readonly Regex Grammar = new(
        @"\A(?<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<name>[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)\.?)(?::(?<port>[1-9][0-9]{0,4}))?\z",
        RegexOptions.CultureInvariant,
        TimeSpan.FromSeconds(10));

    public static void Fuzz(ReadOnlySpan<byte> data)
    {
        if (data.Length > 1024)
            return;
        var text = Encoding.Latin1.GetString(data);
        var match = Grammar.Match(text);
        var (v6, name, port) = (match.Groups["v6"], match.Groups["name"], match.Groups["port"]);
        var number = port.Success ? int.Parse(port.ValueSpan, CultureInfo.InvariantCulture) : 0;
        var expected = match.Success && number <= 65535 && name.Length <= 253
            && (!v6.Success || (HeadRules.IsHost(Encoding.Latin1.GetBytes($"[{v6.Value}]")) && v6.ValueSpan.Contains(':')));
        FuzzFailure.UnlessEqual(expected, WebOrigin.TryParse(data, out var origin), text);
        if (!expected)
            return;
        FuzzFailure.UnlessEqual(match.Groups["scheme"].Value, Encoding.Latin1.GetString(origin.Scheme), "scheme");
        FuzzFailure.UnlessEqual(name.Value, Encoding.Latin1.GetString(origin.Host.Name), "name");
        FuzzFailure.UnlessEqual(number, origin.Port, "port");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || (uri.Scheme is not ("http" or "https")))
            return;
        FuzzFailure.Unless(uri.UserInfo.Length == 0 && uri.PathAndQuery is "/" && uri.Fragment.Length == 0, $"{text}: more than an origin");
        if (v6.Success)
            FuzzFailure.UnlessEqual(IPAddress.Parse(v6.Value), IPAddress.Parse(uri.Host), "address");
    }
}
