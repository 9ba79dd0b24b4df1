using Schema = Holdfast.Api.Configuration.Reading.TlsSchema;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Fills what TLS is done with. The files that it names are opened by those who use them.</summary>
internal static class TlsReader
{
    private static readonly CertificateFiles NoCertificate = new("", "");
    private static readonly ListenerTlsOptions NoListenerTls = new() { Certificates = [] };

    public static ListenerTlsOptions? ReadListener(SectionReader s) => s.Has("tls") ? s.Section("tls", Schema.Listener, ReadListenerTls, NoListenerTls) : null;

    public static BackendTlsOptions? ReadBackend(SectionReader s) => s.Has("tls") ? s.Section("tls", Schema.Backend, ReadBackendTls, new BackendTlsOptions()) : null;

    private static ListenerTlsOptions ReadListenerTls(SectionReader s)
    {
        if (!s.Has("certificates"))
            s.Damage("certificates", $"is required; write for example `certificates: [{Schema.Certificate.Example}]`");
        return new ListenerTlsOptions
        {
            Certificates = s.Sections("certificates", Schema.Certificate, ReadCertificate, NoCertificate, $"[{Schema.Certificate.Example}]"),
            MinVersion = s.Optional("minVersion", ValueParsers.TlsVersion, NoListenerTls.MinVersion),
            Alpn = s.Has("alpn") ? s.List<string>("alpn", ValueParsers.Any, "[http/1.1, h2]") : NoListenerTls.Alpn,
            ClientCa = s.OptionalReference<string>("clientCa", ValueParsers.Text),
            ClientCertificate = ReadUse(s),
        };
    }

    /// <summary>Without an authority there is nothing to require: that is told where it is read, since the record cannot say what was written.</summary>
    private static ClientCertificateUse ReadUse(SectionReader s)
    {
        var use = s.Optional("clientCertificate", ValueParsers.CertificateUse, NoListenerTls.ClientCertificate);
        if (s.Has("clientCertificate") && !s.Has("clientCa"))
            s.Damage("clientCertificate", "without clientCa clients are not asked for a certificate; write for example `clientCa: clients.crt` beside it, or remove it");
        return use;
    }

    private static CertificateFiles ReadCertificate(SectionReader s) =>
        new(s.Required("certificate", ValueParsers.Text, "", "tls.crt"), s.Required("key", ValueParsers.Text, "", "tls.key"));

    private static BackendTlsOptions ReadBackendTls(SectionReader s)
    {
        var certificate = s.OptionalReference<string>("certificate", ValueParsers.Text);
        var key = s.OptionalReference<string>("key", ValueParsers.Text);
        if (s.Has("certificate") && !s.Has("key"))
            s.Damage("certificate", "needs its key; write for example `key: client.key` beside it");
        if (s.Has("key") && !s.Has("certificate"))
            s.Damage("key", "needs its certificate; write for example `certificate: client.crt` beside it");
        return new BackendTlsOptions
        {
            ServerName = s.OptionalReference<string>("serverName", ValueParsers.Host),
            Ca = s.OptionalReference<string>("ca", ValueParsers.Text),
            ClientCertificate = certificate is not null && key is not null ? new CertificateFiles(certificate, key) : null,
            Verify = s.Optional("verify", ValueParsers.Truth, true),
        };
    }
}
