using System.Globalization;
using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>TLS by its words alone: files are opened by those who use them, so that a configuration can be checked where its secrets are not.</summary>
internal static class TlsValidator
{
    private const int MostCertificates = 1024;

    public static void Validate(ListenerTlsOptions tls, string key, FaultCollector faults)
    {
        if (tls.Certificates.Count == 0)
            faults.Invalid(key + ".certificates", "at least one certificate is needed; write for example [{certificate: tls.crt, key: tls.key}]");
        if (tls.Certificates.Count > MostCertificates)
            faults.Invalid(key + ".certificates", Say($"has {tls.Certificates.Count} entries; at most {MostCertificates} are allowed"));
        var seen = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < tls.Certificates.Count && i < MostCertificates; i++)
        {
            var item = Say($"{key}.certificates[{i}]");
            // Of an item that could not be read nothing is known.
            if (!faults.IsDamaged(item) && !seen.TryAdd(tls.Certificates[i].Certificate, i))
                faults.Invalid(item + ".certificate",
                    Say($"{Printable.Quote(tls.Certificates[i].Certificate)} is already {key}.certificates[{seen[tls.Certificates[i].Certificate]}]; remove one"));
        }

        ValidateAlpn(tls.Alpn, key + ".alpn", faults);
    }

    public static void Validate(BackendTlsOptions tls, string key, FaultCollector faults)
    {
        if (tls.ServerName is { } name)
        {
            if (IPAddress.TryParse(name, out _))
                faults.Invalid(key + ".serverName",
                    $"{Printable.Quote(name)} is an address, which no server name is; write for example chat.internal, or remove it: an endpoint given by its address is known by it");
            else if (!Syntax.IsHostName(name, underscore: true))
                faults.Invalid(key + ".serverName", $"{Printable.Quote(name)} is not a host name{(name.Contains(':', StringComparison.Ordinal) ? " (without port)" : "")}; write for example chat.internal");
        }

        if (!tls.Verify && tls.Ca is not null)
            faults.Invalid(key + ".ca", "with `verify: false` no authority is asked; remove one of them");
    }

    private static void ValidateAlpn(IReadOnlyList<string> alpn, string key, FaultCollector faults)
    {
        if (alpn.Count == 0)
            faults.Invalid(key, "an empty list would leave clients that ask by ALPN without a protocol; write for example [http/1.1]");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < alpn.Count; i++)
        {
            var item = Say($"{key}[{i}]");
            if (alpn[i] is not ("http/1.1" or "h2"))
                faults.Invalid(item, $"{Printable.Quote(alpn[i])} is not a protocol that is served; write {KeySuggestion.Nearest(alpn[i], ["http/1.1", "h2"]) ?? "http/1.1 or h2"}");
            else if (!seen.Add(alpn[i]))
                faults.Invalid(item, $"{Printable.Quote(alpn[i])} is listed twice");
        }

        if (seen.Contains("h2") && !seen.Contains("http/1.1"))
            faults.Invalid(key, "without http/1.1 clients that open WebSockets over it could not come; write for example [h2, http/1.1]");
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
