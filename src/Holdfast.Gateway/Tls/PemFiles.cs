using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Holdfast.Gateway.Tls;

/// <summary>Reads certificates and keys in PEM (RFC 7468). Pure; throws <see cref="PemFault"/> and nothing else.</summary>
internal static class PemFiles
{
    /// <summary>Bytes. More is no certificate but the wrong file.</summary>
    public const int Most = 1024 * 1024;

    /// <summary>Certificates of one file: the system's whole list of authorities has some 150.</summary>
    private const int MostCertificates = 1000;

    private const string Rsa = "1.2.840.113549.1.1.1";
    private const string EllipticCurve = "1.2.840.10045.2.1";

    /// <summary>A leaf with its key, and what lies between it and the root.</summary>
    public static LoadedCertificate ReadPair(ReadOnlySpan<byte> certificates, ReadOnlySpan<byte> key)
    {
        var chain = ReadCertificates(certificates);
        var leaf = WithKey(chain, key);
        chain[0].Dispose();
        return new LoadedCertificate(leaf, [.. chain.Skip(1)]);
    }

    /// <summary>Roots, at least one, and what may lie between them and a peer.</summary>
    public static Authorities ReadAuthorities(ReadOnlySpan<byte> bytes)
    {
        var certificates = ReadCertificates(bytes);
        return Array.Exists(certificates, static c => c.SubjectName.RawData.AsSpan().SequenceEqual(c.IssuerName.RawData))
            ? new Authorities(certificates)
            : throw new PemFault("it has no root among its certificates: one that the authority has signed for itself is needed");
    }

    private static X509Certificate2[] ReadCertificates(ReadOnlySpan<byte> bytes)
    {
        var text = Encoding.ASCII.GetString(bytes);
        var certificates = new List<X509Certificate2>();
        foreach (var (label, block) in Blocks(text))
        {
            if (label is not ("CERTIFICATE" or "X509 CERTIFICATE" or "X.509 CERTIFICATE"))
                continue;
            try
            {
                certificates.Add(X509CertificateLoader.LoadCertificate(Convert.FromBase64String(text[block])));
            }
            catch (Exception e) when (e is CryptographicException or FormatException)
            {
                throw new PemFault(FormattableString.Invariant($"its certificate number {certificates.Count + 1} cannot be read: {e.Message}"));
            }

            if (certificates.Count > MostCertificates)
                throw new PemFault(FormattableString.Invariant($"it has over {MostCertificates} certificates"));
        }

        if (certificates.Count > 0)
            return [.. certificates];
        throw new PemFault(text.Contains("-----BEGIN CERTIFICATE-----", StringComparison.Ordinal)
            ? "its certificate is cut off or damaged: -----BEGIN CERTIFICATE----- is there, a whole certificate is not"
            : "there is no certificate in it; it must have lines of -----BEGIN CERTIFICATE----- (PEM)");
    }

    private static X509Certificate2 WithKey(X509Certificate2[] chain, ReadOnlySpan<byte> bytes)
    {
        var text = new char[bytes.Length];
        try
        {
            Encoding.ASCII.GetChars(bytes, text);
            var key = KeyIn(text);
            for (var i = 0; i < chain.Length; i++)
            {
                if (TryJoin(chain[i], key) is not { } joined)
                    continue;
                if (i == 0)
                    return joined;
                joined.Dispose();
                throw new PemFault(FormattableString.Invariant($"the key fits its certificate number {i + 1}, which must be the first"));
            }
        }
        finally
        {
            Array.Clear(text);
        }

        var kind = chain[0].PublicKey.Oid.Value is Rsa ? "RSA" : chain[0].PublicKey.Oid.Value is EllipticCurve ? "ECDSA" : null;
        throw kind is null
            ? new PemFault($"keys of the certificate's kind ({chain[0].PublicKey.Oid.FriendlyName}) cannot be used; RSA and ECDSA can")
            : new PemFault($"it does not fit the certificate, which needs another {kind} key", isKey: true);
    }

    /// <summary>The block of the private key.</summary>
    private static ReadOnlySpan<char> KeyIn(char[] text)
    {
        foreach (var (label, _, whole) in WholeBlocks(text))
        {
            if (label is "PRIVATE KEY" or "RSA PRIVATE KEY" or "EC PRIVATE KEY")
                return text.AsSpan(whole);
            if (label is "ENCRYPTED PRIVATE KEY")
                throw Encrypted();
        }

        // The old way to encrypt leaves the label as it is and adds headers, which RFC 7468 does not know.
        throw text.AsSpan().Contains("ENCRYPTED", StringComparison.Ordinal)
            ? Encrypted()
            : new PemFault("there is no private key in it; it must have lines of -----BEGIN PRIVATE KEY----- (PEM)", isKey: true);

        static PemFault Encrypted() =>
            new("the key is encrypted, and nobody could enter a passphrase; decrypt it with: openssl pkey -in KEY -out PLAIN, and let only the gateway read that", isKey: true);
    }

    /// <summary>Null: the key is not this certificate's.</summary>
    private static X509Certificate2? TryJoin(X509Certificate2 certificate, ReadOnlySpan<char> key)
    {
        try
        {
            switch (certificate.PublicKey.Oid.Value)
            {
                case Rsa:
                    using (var rsa = RSA.Create())
                    {
                        rsa.ImportFromPem(key);
                        return certificate.CopyWithPrivateKey(rsa);
                    }

                case EllipticCurve:
                    using (var ec = ECDsa.Create())
                    {
                        ec.ImportFromPem(key);
                        return certificate.CopyWithPrivateKey(ec);
                    }

                default:
                    return null;
            }
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    private static IEnumerable<(string Label, Range Base64)> Blocks(string text) => WholeBlocks(text.ToCharArray()).Select(static b => (b.Label, b.Base64));

    private static List<(string Label, Range Base64, Range Whole)> WholeBlocks(char[] text)
    {
        var blocks = new List<(string, Range, Range)>();
        var at = 0;
        while (PemEncoding.TryFind(text.AsSpan(at), out var fields))
        {
            blocks.Add((text.AsSpan(at)[fields.Label].ToString(), Shift(fields.Base64Data), Shift(fields.Location)));
            at += fields.Location.End.Value;
        }

        return blocks;

        Range Shift(Range range) => (range.Start.Value + at)..(range.End.Value + at);
    }
}
