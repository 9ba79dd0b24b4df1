namespace Holdfast.Api.Configuration;

/// <summary>TLS towards clients, on one listener.</summary>
public sealed record ListenerTlsOptions
{
    /// <summary>At least one. A client's server name (SNI) chooses the one whose names it fits, the most specific first; the first of the list serves every other client.</summary>
    public required IReadOnlyList<CertificateFiles> Certificates { get; init; }

    /// <summary>Default 1.2 (RFC 8996 ended 1.0 and 1.1).</summary>
    public TlsVersion MinVersion { get; init; } = TlsVersion.Tls12;

    /// <summary>Offered application protocols, the preferred first: <c>http/1.1</c> and <c>h2</c>. Default: http/1.1 alone.</summary>
    public IReadOnlyList<string> Alpn { get; init; } = ["http/1.1"];

    /// <summary>A PEM file of authorities that client certificates must come from; null: clients are not asked for one. Watched.</summary>
    public string? ClientCa { get; init; }

    /// <summary>Whether a client without a certificate may come in, where <see cref="ClientCa"/> is given. Default: it may not.</summary>
    public ClientCertificateUse ClientCertificate { get; init; } = ClientCertificateUse.Require;
}

/// <summary>A certificate and its key, in PEM files that are watched: a pair that fits is in force for the next TLS handshake.</summary>
/// <param name="Certificate">The leaf first, then the authorities between it and the root.</param>
/// <param name="Key">Not encrypted; PKCS#8, PKCS#1 or SEC 1.</param>
public sealed record CertificateFiles(string Certificate, string Key);

public enum TlsVersion
{
    Tls12,
    Tls13,
}

public enum ClientCertificateUse
{
    /// <summary>Without a good one the TLS handshake fails.</summary>
    Require,

    /// <summary>One that is given must be good.</summary>
    Optional,
}

/// <summary>TLS towards the endpoints of one backend.</summary>
public sealed record BackendTlsOptions
{
    /// <summary>What is asked for (SNI), and what the endpoint's certificate must be for. Null: the endpoint's host name, or its address where it is given by one.</summary>
    public string? ServerName { get; init; }

    /// <summary>A PEM file of the only authorities that count; null: the system's. Watched.</summary>
    public string? Ca { get; init; }

    /// <summary>The client certificate that endpoints are shown; null: none. Watched.</summary>
    public CertificateFiles? ClientCertificate { get; init; }

    /// <summary>False: whoever answers is taken for the endpoint. Default true.</summary>
    public bool Verify { get; init; } = true;
}
