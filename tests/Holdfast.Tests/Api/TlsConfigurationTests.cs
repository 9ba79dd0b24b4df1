using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

public class TlsConfigurationTests
{
    [Fact]
    public void Every_key_reaches_its_record()
    {
        var configuration = Read("""
            listeners:
              - name: all
                address: 0.0.0.0:443
                tls:
                  certificates: [{certificate: a.crt, key: a.key}, {certificate: /b.crt, key: /b.key}]
                  minVersion: 1.3
                  alpn: [h2, http/1.1]
                  clientCa: clients.crt
                  clientCertificate: optional
              - {name: usual, address: 0.0.0.0:444, tls: {certificates: [{certificate: a.crt, key: a.key}]}}
              - {name: asks, address: 0.0.0.0:445, tls: {certificates: [{certificate: a.crt, key: a.key}], minVersion: "1.2", clientCa: clients.crt}}
              - {name: plain, address: 0.0.0.0:80}
            routes:
              - {listeners: [all, plain], backend: all}
              - {path: {exact: /}, backend: usual}
            backends:
              all: {endpoints: [h:1], tls: {serverName: Chat.Internal, ca: ca.crt, certificate: c.crt, key: c.key}}
              usual: {endpoints: [h:1], tls: {}}
              open: {endpoints: [h:1], tls: {verify: false, serverName: chat}}
              plain: {endpoints: [h:1]}
            """);

        var all = configuration.Listeners[0].Tls!;
        Assert.Equal([new CertificateFiles("a.crt", "a.key"), new CertificateFiles("/b.crt", "/b.key")], all.Certificates);
        Assert.Equal((TlsVersion.Tls13, "clients.crt", ClientCertificateUse.Optional), (all.MinVersion, all.ClientCa, all.ClientCertificate));
        Assert.Equal(["h2", "http/1.1"], all.Alpn);
        var usual = configuration.Listeners[1].Tls!;
        Assert.Equal((TlsVersion.Tls12, null), (usual.MinVersion, usual.ClientCa));
        Assert.Equal(["http/1.1"], usual.Alpn);
        Assert.Equal(ClientCertificateUse.Require, configuration.Listeners[2].Tls!.ClientCertificate);
        Assert.Null(configuration.Listeners[3].Tls);

        Assert.Equal(["all", "plain"], configuration.Routes[0].Listeners);
        Assert.Empty(configuration.Routes[1].Listeners);
        Assert.Equal(
            [
                new BackendTlsOptions { ServerName = "chat.internal", Ca = "ca.crt", ClientCertificate = new("c.crt", "c.key") },
                new BackendTlsOptions(),
                new BackendTlsOptions { Verify = false, ServerName = "chat" },
                null,
            ],
            configuration.Backends.Select(b => b.Tls));
    }

    [Theory]
    [InlineData("{}", ".certificates", "is required; write for example `certificates: [{certificate: tls.crt, key: tls.key}]`")]
    [InlineData("a.pem", "", "must be a mapping, not the value 'a.pem'; write for example {certificates: [{certificate: tls.crt, key: tls.key}]}")]
    [InlineData("", "", "must be a mapping, not nothing")]
    [InlineData("{certificates: []}", ".certificates", "at least one certificate is needed; write for example [{certificate: tls.crt, key: tls.key}]")]
    [InlineData("{certificates: a.crt}", ".certificates", "must be a list, not the value 'a.crt'")]
    [InlineData("{certificates: [{certificate: a.crt}]}", ".certificates[0].key", "is required; write for example `key: tls.key`")]
    [InlineData("{certificates: [{key: a.key}]}", ".certificates[0].certificate", "is required; write for example `certificate: tls.crt`")]
    [InlineData("{certificates: [{certificate: '', key: a.key}]}", ".certificates[0].certificate", "must not be empty")]
    [InlineData("{certificates: [{certificate: a.crt, key: a.key}, a.crt]}", ".certificates[1]", "must be a mapping")]
    [InlineData("{certificates: [{certificate: a.crt, key: a.key}, {certificate: a.crt, key: b.key}]}", ".certificates[1].certificate", "'a.crt' is already listeners[0].tls.certificates[0]")]
    [InlineData("{GOOD, minVersion: 1.1}", ".minVersion", "'1.1' is not a version of TLS that is served; write 1.2 or 1.3")]
    [InlineData("{GOOD, minVersion: TLSv1.2}", ".minVersion", "write 1.2 or 1.3")]
    [InlineData("{GOOD, alpn: []}", ".alpn", "write for example [http/1.1]")]
    [InlineData("{GOOD, alpn: h2}", ".alpn", "must be a list")]
    [InlineData("{GOOD, alpn: [http/1.1, h3]}", ".alpn[1]", "'h3' is not a protocol that is served; write h2")]
    [InlineData("{GOOD, alpn: [http/1.0, http/1.1]}", ".alpn[0]", "write http/1.1")]
    [InlineData("{GOOD, alpn: [http/1.1, spdy]}", ".alpn[1]", "write http/1.1 or h2")]
    [InlineData("{GOOD, alpn: [h2, http/1.1, h2]}", ".alpn[2]", "'h2' is listed twice")]
    [InlineData("{GOOD, alpn: [h2]}", ".alpn", "without http/1.1 clients that open WebSockets over it could not come; write for example [h2, http/1.1]")]
    [InlineData("{GOOD, clientCertificate: require}", ".clientCertificate", "without clientCa clients are not asked for a certificate; write for example `clientCa: clients.crt` beside it")]
    [InlineData("{GOOD, clientCa: a.crt, clientCertificate: required}", ".clientCertificate", "'required' is neither require nor optional; write require")]
    [InlineData("{GOOD, clientCa: ''}", ".clientCa", "must not be empty")]
    [InlineData("{GOOD, ciphers: []}", ".ciphers", "unknown key; known here: certificates, minVersion, alpn, clientCa, clientCertificate")]
    public void Listeners(string tls, string key, string message) => Expect(
        $"listeners: [{{name: web, address: '0.0.0.0:443', tls: {tls.Replace("GOOD", "certificates: [{certificate: a.crt, key: a.key}]", StringComparison.Ordinal)}}}]",
        "listeners[0].tls" + key,
        message);

    [Theory]
    [InlineData("true", "", "must be a mapping, not the value 'true'; write for example {serverName: chat.internal}")]
    [InlineData("{serverName: 'a b'}", ".serverName", "'a b' is not a host name; write for example chat.internal")]
    [InlineData("{serverName: 'a:443'}", ".serverName", "'a:443' is not a host name (without port)")]
    [InlineData("{serverName: '*.example.com'}", ".serverName", "is not a host name")]
    [InlineData("{serverName: 10.0.0.1}", ".serverName", "'10.0.0.1' is an address, which no server name is")]
    [InlineData("{serverName: '::1'}", ".serverName", "is an address")]
    [InlineData("{serverName: ''}", ".serverName", "is not a host name")]
    [InlineData("{ca: ''}", ".ca", "must not be empty")]
    [InlineData("{ca: a.crt, verify: false}", ".ca", "with `verify: false` no authority is asked; remove one of them")]
    [InlineData("{certificate: c.crt}", ".certificate", "needs its key; write for example `key: client.key` beside it")]
    [InlineData("{key: c.key}", ".key", "needs its certificate; write for example `certificate: client.crt` beside it")]
    [InlineData("{verify: no}", ".verify", "'no' is neither true nor false; write for example true")]
    [InlineData("{servername: a}", ".servername", "did you mean `serverName`?")]
    public void Backends(string tls, string key, string message) =>
        Expect($"listeners: [{{name: web, address: '0.0.0.0:443'}}]\nbackends: {{b: {{endpoints: [h:1], tls: {tls}}}}}", "backends.b.tls" + key, message);

    [Theory]
    [InlineData("[wbe]", "routes[0].listeners[0]", "there is no listener 'wbe'; did you mean 'web'?")]
    [InlineData("[other]", "routes[0].listeners[0]", "there is no listener 'other'; there are 'web', 'tls'")]
    [InlineData("[web, tls, web]", "routes[0].listeners[2]", "'web' is listed twice")]
    [InlineData("web", "routes[0].listeners", "must be a list, not the value 'web'; write for example [web]")]
    [InlineData("[~]", "routes[0].listeners[0]", "has no value")]
    public void Listeners_of_a_route(string listeners, string key, string message) =>
        Expect($"{TwoListeners}\nroutes: [{{listeners: {listeners}, backend: b}}]\nbackends: {{b: {{endpoints: [h:1]}}}}", key, message);

    [Theory]
    [InlineData("{listeners: [web], backend: b}, {listeners: [tls], backend: b}", null)]
    [InlineData("{listeners: [web], hosts: [a, b], backend: b}, {listeners: [tls], hosts: [b], backend: b}, {backend: b}", null)]
    [InlineData("{listeners: [web], backend: b}, {listeners: [tls, web], backend: b}", "routes[1] can never be chosen for any host on listener 'web': routes[0] in line 2 has the same match")]
    [InlineData("{listeners: [web], backend: b}, {backend: b}", "routes[1] can never be chosen for any host on listener 'web': routes[0] in line 2 has the same match")]
    [InlineData("{backend: b}, {listeners: [tls], backend: b}", "routes[1] can never be chosen for any host on listener 'tls': routes[0] in line 2 has the same match")]
    [InlineData("{backend: b}, {backend: b}", "routes[1] can never be chosen for any host: routes[0] in line 2 has the same match")]
    [InlineData(
        "{listeners: [web], backend: b}, {listeners: [tls], backend: b}, {listeners: [tls], backend: b}",
        "routes[2] can never be chosen for any host on listener 'tls': routes[1] in line 2 has the same match")]
    public void Routes_with_one_match_stand_side_by_side_on_different_listeners_only(string routes, string? expected)
    {
        var faults = ConfigurationReader.Read($"{TwoListeners}\nroutes: [{routes}]\nbackends: {{b: {{endpoints: [h:1]}}}}", "f").Faults;
        Assert.Equal(expected is null ? [] : [expected + "; change or remove one"], faults.Select(f => f.Key + " " + f.Message));
    }

    [Theory]
    [InlineData("{listeners: [web], backend: b}", false)]
    [InlineData("{listeners: [tls], backend: b}", true)]
    [InlineData("{backend: b}", true)]
    [InlineData("{listeners: [web], backend: b}, {listeners: [tls], backend: other}", false)]
    [InlineData("{listeners: [web], backend: b}, {listeners: [tls], backends: [{name: other}, {name: b}]}", true)]
    [InlineData("", true)]
    public void A_cookie_that_needs_TLS_needs_a_listener_of_its_routes_that_speaks_it(string routes, bool isValid)
    {
        var result = ConfigurationReader.Read(
            $"{TwoListeners}\nroutes: [{routes}]\nbackends: {{b: {{endpoints: [h:1], affinity: {{cookie: {{sameSite: None}}}}}}, other: {{endpoints: [h:1]}}}}", "f");
        if (isValid)
            Assert.Empty(result.Faults);
        else
            Assert.Contains("no listener of its routes has tls, nor trustedProxies", Assert.Single(result.Faults).Message, StringComparison.Ordinal);
    }

    private const string TwoListeners =
        "listeners: [{name: web, address: '0.0.0.0:80'}, {name: tls, address: '0.0.0.0:443', tls: {certificates: [{certificate: a.crt, key: a.key}]}}]";

    private static void Expect(string text, string key, string message)
    {
        var fault = Assert.Single(ConfigurationReader.Read(text, "f").Faults);
        Assert.Equal(key, fault.Key);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.InRange(fault.Line, 1, text.Count('\n') + 1);
        Assert.InRange(fault.Message.Length, 10, 400);
    }

    private static GatewayConfiguration Read(string text)
    {
        var result = ConfigurationReader.Read(text, "gw.yaml");
        Assert.Empty(result.Faults);
        return result.Configuration!;
    }
}
