using System.Text.RegularExpressions;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Tls;

/// <summary>A TLS listener as OpenSSL's client sees it.</summary>
public sealed partial class ListenerTlsTests
{
    /// <summary>Old protocols, which OpenSSL itself refuses at its usual level.</summary>
    private static readonly string[] Weak = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];

    [Fact]
    public async Task Protocols_before_1_2_are_refused()
    {
        await using var gateway = await StartAsync();

        foreach (var version in (string[])["-tls1", "-tls1_1"])
            Assert.Contains("alert protocol version", await OpenSsl.ConnectAsync(gateway.Port, [version, .. Weak]), StringComparison.Ordinal);
        AssertServed(await OpenSsl.ConnectAsync(gateway.Port, "-tls1_2"), "TLSv1.2");
        AssertServed(await OpenSsl.ConnectAsync(gateway.Port, "-tls1_3"), "TLSv1.3");
        AssertServed(await OpenSsl.ConnectAsync(gateway.Port), "TLSv1.3");
        Assert.Equal(2, await gateway.MetricAsync("holdfast_tls_handshake_failures_total", "listener=\"web\""));
    }

    [Fact]
    public async Task A_listener_of_1_3_refuses_1_2()
    {
        await using var gateway = await StartAsync("minVersion: \"1.3\"");

        Assert.Contains("alert protocol version", await OpenSsl.ConnectAsync(gateway.Port, "-tls1_2"), StringComparison.Ordinal);
        AssertServed(await OpenSsl.ConnectAsync(gateway.Port, "-tls1_3"), "TLSv1.3");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task No_cipher_without_forward_secrecy_and_authentication_is_agreed_to(bool rsa)
    {
        await using var gateway = await StartAsync(rsa: rsa);
        var suites = await OpenSsl.CiphersAsync();
        Assert.True(suites.Length > 50, string.Join(' ', suites));
        var agreed = new List<string>();

        await Parallel.ForEachAsync(suites, new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (suite, _) =>
        {
            var output = await OpenSsl.ConnectAsync(gateway.Port, "-tls1_2", "-cipher", suite + ":@SECLEVEL=0");
            if (output.Contains("HTTP/1.1 200", StringComparison.Ordinal))
            {
                lock (agreed)
                    agreed.Add(suite);
            }
            else
            {
                Assert.Matches("alert handshake failure|no cipher match|no ciphers available", output);
            }
        });

        var kind = rsa ? "RSA" : "ECDSA";
        Assert.Equal([$"ECDHE-{kind}-AES128-GCM-SHA256", $"ECDHE-{kind}-AES256-GCM-SHA384", $"ECDHE-{kind}-CHACHA20-POLY1305"], agreed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Nobody_is_made_to_fall_back_unnoticed()
    {
        await using var gateway = await StartAsync();

        Assert.Contains("alert inappropriate fallback", await OpenSsl.ConnectAsync(gateway.Port, "-tls1_2", "-fallback_scsv"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "http/1.1", "ALPN protocol: http/1.1")]
    [InlineData("", "h2,http/1.1", "ALPN protocol: http/1.1")]
    [InlineData("", null, "No ALPN negotiated")]
    [InlineData("", "h2", "alert no application protocol")]
    [InlineData("alpn: [h2, http/1.1]", "http/1.1,h2", "ALPN protocol: h2")]
    [InlineData("alpn: [h2, http/1.1]", "h2", "ALPN protocol: h2")]
    [InlineData("alpn: [http/1.1, h2]", "h2,http/1.1", "ALPN protocol: http/1.1")]
    [InlineData("alpn: [http/1.1, h2]", "h2", "ALPN protocol: h2")]
    [InlineData("alpn: [h2, http/1.1]", "spdy/1", "alert no application protocol")]
    public async Task The_application_protocol_is_the_first_of_the_listeners_that_the_client_offers(string tls, string? offered, string expected)
    {
        await using var gateway = await StartAsync(tls);

        foreach (var version in (string[])["-tls1_2", "-tls1_3"])
        {
            var output = await OpenSsl.CommandAsync(gateway.Port, "Q\n", offered is null ? [version] : [version, "-alpn", offered]);
            Assert.Contains(expected, output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_server_name_chooses_the_certificate()
    {
        await using var gateway = await StartAsync(
            "certificates: [{certificate: {folder}/a.crt, key: {folder}/a.key}, {certificate: {folder}/w.crt, key: {folder}/w.key}, {certificate: {folder}/x.crt, key: {folder}/x.key}]",
            prepare: g =>
            {
                g.Files.Write("w", g.Root.Issue("*.b.example"));
                g.Files.Write("x", g.Root.Issue(new TestRequest { Names = ["x.b.example"], Rsa = true }));
            });

        foreach (var (name, subject) in ((string, string)[])[("a.example", "a.example"), ("y.b.example", "*.b.example"), ("x.b.example", "x.b.example"), ("X.B.Example", "x.b.example"), ("other.test", "a.example"), ("z.y.b.example", "a.example")])
            Assert.Contains($"subject=CN = {subject}\n", await OpenSsl.ConnectAsync(gateway.Port, "-servername", name), StringComparison.Ordinal);
        Assert.Contains("subject=CN = a.example\n", await OpenSsl.ConnectAsync(gateway.Port, "-noservername"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_whole_chain_of_the_file_is_sent_and_verifies()
    {
        await using var gateway = await StartAsync(prepare: static g =>
        {
            using var middle = new TestAuthority("Middle", g.Root);
            g.Files.Write("a", middle.Issue("a.example"));
        });

        var output = await OpenSsl.ConnectAsync(gateway.Port, "-CAfile", gateway.Files.File("root.pem"), "-verify_return_error", "-verify_hostname", "a.example");

        Assert.Contains("Verify return code: 0 (ok)", output, StringComparison.Ordinal);
        Assert.Contains(" 1 s:CN = Middle\n", output, StringComparison.Ordinal);
        Assert.DoesNotContain(" 2 s:", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task There_is_no_compression_and_no_renegotiation()
    {
        await using var gateway = await StartAsync();

        Assert.Contains("Compression: NONE", await OpenSsl.ConnectAsync(gateway.Port, "-tls1_2", "-comp"), StringComparison.Ordinal);
        var output = await OpenSsl.CommandAsync(gateway.Port, "R\nGET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n", "-tls1_2");
        Assert.Contains("RENEGOTIATING", output, StringComparison.Ordinal);
        Assert.DoesNotContain("HTTP/1.1", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sessions_of_1_3_are_resumed_and_those_of_1_2_are_not()
    {
        await using var gateway = await StartAsync();

        foreach (var (version, reused) in ((string, bool)[])[("-tls1_3", true), ("-tls1_2", false)])
        {
            var session = gateway.Files.File("session" + version);
            Assert.Contains("New, TLSv1", await OpenSsl.ConnectAsync(gateway.Port, version, "-sess_out", session), StringComparison.Ordinal);
            var output = await OpenSsl.ConnectAsync(gateway.Port, File.Exists(session) ? [version, "-sess_in", session] : [version]);
            Assert.True(reused == output.Contains("Reused, TLSv1", StringComparison.Ordinal), output);
            Assert.Contains("HTTP/1.1 200", output, StringComparison.Ordinal);
            Assert.DoesNotContain("Max Early Data: 16", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Connections_end_as_TLS_does()
    {
        await using var gateway = await StartAsync();

        foreach (var version in (string[])["-tls1_2", "-tls1_3"])
        {
            var output = await OpenSsl.ConnectAsync(gateway.Port, version);
            Assert.Contains("HTTP/1.1 200", output, StringComparison.Ordinal);
            Assert.DoesNotContain("unexpected eof", output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_end_of_each_certificate_is_told()
    {
        await using var gateway = await StartAsync();

        Assert.InRange(
            await gateway.MetricAsync("holdfast_certificate_expiration_timestamp_seconds", "listener=\"web\"", $"certificate=\"{gateway.Files.File("a.crt")}\""),
            DateTimeOffset.UtcNow.AddDays(89).ToUnixTimeSeconds(),
            DateTimeOffset.UtcNow.AddDays(91).ToUnixTimeSeconds());
    }

    private static async Task<TlsGateway> StartAsync(string tls = "", Action<TlsGateway>? prepare = null, bool rsa = false)
    {
        if (OpenSsl.Missing is { } missing)
            Assert.Skip(missing);
        return await TlsGateway.StartAsync(tls, prepare, rsa: rsa);
    }

    private static void AssertServed(string output, string version)
    {
        Assert.Contains(version, Negotiated().Match(output).Value, StringComparison.Ordinal);
        Assert.Contains("HTTP/1.1 200", output, StringComparison.Ordinal);
    }

    [GeneratedRegex("^New, TLSv1.*$", RegexOptions.Multiline)]
    private static partial Regex Negotiated();
}
