using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>A certificate for 127.0.0.1 and listeners that show it.</summary>
internal sealed class AppCertificates : IDisposable
{
    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _files = new();
    private readonly string _tls;

    public AppCertificates()
    {
        var (certificate, key) = _files.Write("web", _root.Issue("127.0.0.1", "localhost"));
        Authority = _files.Replace("root.pem", _root.Pem);
        _tls = $"certificates: [{{certificate: {certificate}, key: {key}}}]";
    }

    /// <summary>The file of what clients must trust.</summary>
    public string Authority { get; }

    /// <summary>The inside of a listener.</summary>
    /// <param name="alpn">The protocols, the preferred first.</param>
    public string Listener(string name, string alpn) => $"name: {name}, address: \"127.0.0.1:0\", tls: {{{_tls}, alpn: [{alpn}]}}";

    public void Dispose()
    {
        _files.Dispose();
        _root.Dispose();
    }
}
