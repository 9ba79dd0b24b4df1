using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Tls;
using Holdfast.Testing;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Health;

/// <summary>Active checks of endpoints that are spoken to over TLS.</summary>
public sealed class TlsCheckTests : IDisposable
{
    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _files = new();

    public void Dispose()
    {
        _files.Dispose();
        _root.Dispose();
    }

    [Theory]
    [InlineData("http: {path: /healthz}")]
    [InlineData("websocket: {path: /ws}")]
    [InlineData("tcp: {}")]
    public async Task Every_kind_passes_with_a_good_endpoint_and_fails_with_others(string kind)
    {
        using var good = Serve(_root.Issue("app.internal"));
        await using (var gateway = await StartAsync(good.Port, kind))
        {
            await Processes.UntilAsync(() => gateway.Host.Runtime.Backends[1].Endpoints[0].Phase == Holdfast.Gateway.LoadBalancing.EndpointPhase.Ready, "it was ready");
            Assert.InRange(await gateway.MetricAsync("holdfast_health_checks_total", "backend=\"test\"", "outcome=\"passed\""), 1, double.MaxValue);
        }

        using var wrong = Serve(_root.Issue("other.internal"));
        await FailsAsync(wrong.Port, kind, "tls_failed", "its certificate is for other.internal, not for app.internal");
        using var plain = new OkEndpoint();
        // What comes is no request: it answers nothing, and the check ends by its time-out.
        await FailsAsync(plain.Port, kind, "timeout", "it did not answer within");
        using var rude = Rude();
        await FailsAsync(((IPEndPoint)rude.LocalEndpoint).Port, kind, "tls_failed", "it does not speak TLS");
    }

    private async Task FailsAsync(int port, string kind, string outcome, string reason)
    {
        await using var gateway = await StartAsync(port, kind);
        await Processes.UntilAsync(() => gateway.Host.Runtime.Backends[1].Endpoints[0].CheckFailure is not null, "a check had failed");
        Assert.StartsWith(reason, gateway.Host.Runtime.Backends[1].Endpoints[0].CheckFailure, StringComparison.Ordinal);
        Assert.InRange(await gateway.MetricAsync("holdfast_health_checks_total", "backend=\"test\"", $"outcome=\"{outcome}\""), 1, double.MaxValue);
    }

    private Task<GatewayFixture> StartAsync(int port, string kind) => GatewayFixture.StartAsync(new GatewaySetup
    {
        Endpoints = [port],
        Backend = $"slowStart: 0s, tls: {{serverName: app.internal, ca: \"{_files.Replace("root.pem", _root.Pem)}\"}}, health: {{{kind}, interval: 100ms, timeout: 2s, unhealthyAfter: 1, healthyAfter: 1}}",
    });

    /// <summary>Answers GETs with 200, and upgrades with a good 101; then it pongs and closes.</summary>
    private static OkEndpoint Serve(TestCertificate issued)
    {
        var certificate = X509Certificate2.CreateFromPem(issued.Chain, issued.Key);
        return new OkEndpoint(async stream =>
        {
            var ssl = new SslStream(stream);
            await ssl.AuthenticateAsServerAsync(certificate);
            return new Upgrading(ssl);
        });
    }

    /// <summary>Answers whatever comes with a 400 in plain HTTP.</summary>
    private static TcpListener Rude()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _ = ServeAsync();
        return listener;

        async Task ServeAsync()
        {
            try
            {
                while (true)
                {
                    using var client = await listener.AcceptTcpClientAsync();
                    _ = await client.GetStream().ReadAsync(new byte[4096]);
                    await client.GetStream().WriteAsync("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"u8.ToArray());
                }
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
            {
                // The test ends.
            }
        }
    }

    /// <summary>Answers an upgrade and the ping behind it by itself; all else is for whoever reads.</summary>
    private sealed class Upgrading(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            var head = Encoding.Latin1.GetString(buffer.Span[..read]);
            if (!head.Contains("Upgrade: websocket", StringComparison.Ordinal))
                return read;
            await inner.WriteAsync(Encoding.Latin1.GetBytes(Upgrades.Switching(head)), cancellationToken);
            var ping = new byte[14];
            await inner.ReadExactlyAsync(ping, cancellationToken);
            var pong = new byte[10];
            (pong[0], pong[1]) = (0x8a, 8);
            for (var i = 0; i < 8; i++)
                pong[2 + i] = (byte)(ping[6 + i] ^ ping[2 + (i % 4)]);
            await inner.WriteAsync(pong, cancellationToken);
            return 0;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => inner.Flush();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }
    }
}
