using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography.X509Certificates;

namespace Holdfast.Gateway.Tls;

/// <summary>Which server names a certificate is for (RFC 6125): its subject alternative names, or without any DNS name there its common name.</summary>
internal sealed class CertificateNames
{
    /// <summary>Not thread-safe on paper.</summary>
    private static readonly Lock Gate = new();
    private static readonly IdnMapping Idn = new();

    private readonly FrozenSet<string> _exact;
    private readonly FrozenSet<string> _wildcards;

    public CertificateNames(X509Certificate2 certificate)
    {
        All = [.. NamesOf(certificate).Select(static n => n.TrimEnd('.').ToLowerInvariant()).Where(static n => n.Length > 0).Distinct(StringComparer.Ordinal)];
        _exact = All.Where(static n => !n.StartsWith("*.", StringComparison.Ordinal)).ToFrozenSet(StringComparer.Ordinal);
        _wildcards = All.Where(static n => n.StartsWith("*.", StringComparison.Ordinal)).Select(static n => n[2..]).ToFrozenSet(StringComparer.Ordinal);
    }

    /// <summary>In lower case, without dots at their ends.</summary>
    public IReadOnlyList<string> All { get; }

    /// <summary>How well it fits.</summary>
    /// <param name="name">As <see cref="Normalize"/> gives it.</param>
    public NameFit FitOf(string name)
    {
        if (_exact.Contains(name))
            return NameFit.Exact;
        // A wildcard is one whole label, the first (RFC 6125 6.4.3).
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot > 0 && _wildcards.Count > 0 && _wildcards.Contains(name[(dot + 1)..]) ? NameFit.Wildcard : NameFit.None;
    }

    /// <summary>A server name as certificates have it: lower case, international labels in their ASCII form. Empty: there is none that could fit.</summary>
    public static string Normalize(string? serverName)
    {
        var name = (serverName ?? "").TrimEnd('.');
        if (!System.Text.Ascii.IsValid(name))
        {
            try
            {
                lock (Gate)
                    name = Idn.GetAscii(name);
            }
            catch (ArgumentException)
            {
                return "";
            }
        }

        return name.ToLowerInvariant();
    }

    private static IEnumerable<string> NamesOf(X509Certificate2 certificate)
    {
        var alternatives = certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault();
        if (alternatives is not null)
            return alternatives.EnumerateDnsNames();
        var common = certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false);
        return string.IsNullOrEmpty(common) ? [] : [common];
    }
}

/// <summary>The better, the greater.</summary>
internal enum NameFit
{
    None = 0,
    Wildcard = 1,
    Exact = 2,
}
