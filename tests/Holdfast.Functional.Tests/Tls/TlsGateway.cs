using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Holdfast.Testing.Tls;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Tls;

/// <summary>A gateway in this process with a TLS listener, an authority for its certificates, and an endpoint that answers every request with 200.</summary>
internal sealed class TlsGateway : IAsyncDisposable
{
    private readonly HttpClient _http = new();

    public TestAuthority Root { get; } = new();

    public CertificateFolder Files { get; } = new();

    public OkEndpoint Endpoint { get; } = new();

    public GatewayHost Host { get; private set; } = null!;

    public int Port => Host.Addresses[0].Port;

    /// <summary>Starts it with <c>a.crt</c> and <c>a.key</c> for a.example.</summary>
    /// <param name="tls">The inside of the listener's <c>tls</c>, after those certificates; it may name files of <see cref="Files"/> by <c>{folder}</c>.</param>
    /// <param name="prepare">Writes more files before.</param>
    public static async Task<TlsGateway> StartAsync(string tls = "", Action<TlsGateway>? prepare = null, string listener = "", bool rsa = false, string backend = "")
    {
        var gateway = new TlsGateway();
        try
        {
            gateway.Files.Write("a", gateway.Root.Issue(new TestRequest { Names = ["a.example"], Rsa = rsa }));
            gateway.Files.Replace("root.pem", gateway.Root.Pem);
            prepare?.Invoke(gateway);
            gateway.Host = await GatewayHost.StartAsync(gateway.Read(tls, listener, backend), new GatewayHostOptions
            {
                Loops = 1,
                Names = new ResolverSources { ResolvConf = "/dev/null", Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, 1)] },
                LogLevel = LogLevel.None,
            });
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>The configuration with these parts.</summary>
    public GatewayConfiguration Read(string tls = "", string listener = "", string backend = "")
    {
        var certificates = tls.Contains("certificates:") ? tls : "certificates: [{certificate: {folder}/a.crt, key: {folder}/a.key}]" + (tls.Length == 0 ? "" : ", " + tls);
        var yaml = $$"""
            listeners:
              - {name: web, address: "127.0.0.1:0", tls: { {{certificates}} }{{(listener.Length == 0 ? "" : ", " + listener)}} }
            admin: {address: "127.0.0.1:0"}
            routes:
              - {path: {prefix: /}, backend: test}
            backends:
              test: {endpoints: ["127.0.0.1:{{Endpoint.Port}}"]{{(backend.Length == 0 ? "" : ", " + backend)}} }
            shutdown: {delay: 0s, duration: 0s}

            """.Replace("{folder}", Files.Folder);
        var read = ConfigurationReader.Read(yaml, "test.yaml");
        Assert.True(read.Configuration is not null, string.Join('\n', read.Faults) + "\n" + yaml);
        return read.Configuration!;
    }

    /// <summary>A client's connection after its TLS handshake; the root of <see cref="Root"/> is its only authority.</summary>
    public async Task<TlsClient> ConnectAsync(string serverName = "a.example", X509Certificate2? certificate = null)
    {
        var client = new TcpClient { NoDelay = true };
        SslStream? ssl = null;
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Port);
            ssl = new SslStream(client.GetStream());
            using var patience = new CancellationTokenSource(RawPeer.Patience);
            await ssl.AuthenticateAsClientAsync(
                new SslClientAuthenticationOptions
                {
                    TargetHost = serverName,
                    EnabledSslProtocols = SslProtocols.None,
                    AllowTlsResume = false,
                    ClientCertificateContext = certificate is null ? null : SslStreamCertificateContext.Create(certificate, null, offline: true),
                    CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { Root.Certificate } },
                },
                patience.Token);
            return new TlsClient(client, ssl);
        }
        catch
        {
            ssl?.Dispose();
            client.Dispose();
            throw;
        }
    }

    public async Task<double> MetricAsync(string name, params string[] labels) =>
        Gateway.GatewayFixture.Sum(await _http.GetStringAsync(new Uri($"http://{Host.AdminAddress}/metrics")), name, labels);

    public async ValueTask DisposeAsync()
    {
        if (Host is not null)
            await Host.DisposeAsync();
        Endpoint.Dispose();
        _http.Dispose();
        Files.Dispose();
        Root.Dispose();
    }
}

/// <summary>A client that sends one request after the other.</summary>
internal sealed class TlsClient(TcpClient client, SslStream stream) : IDisposable
{
    public SslStream Stream => stream;

    /// <summary>Of the certificate that the gateway has shown.</summary>
    public string Serial => ((X509Certificate2)stream.RemoteCertificate!).SerialNumber;

    /// <summary>Sends a GET, and reads its whole answer; the status.</summary>
    public async Task<int> GetAsync(CancellationToken cancel = default)
    {
        await stream.WriteAsync("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"u8.ToArray(), cancel);
        var answer = new StringBuilder();
        var buffer = new byte[4096];
        while (!answer.ToString().EndsWith("\r\n\r\nok", StringComparison.Ordinal))
        {
            var read = await stream.ReadAsync(buffer, cancel);
            if (read == 0)
                throw new IOException("The connection ended after: " + answer);
            answer.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }

        return int.Parse(answer.ToString().AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        stream.Dispose();
        client.Dispose();
    }
}

/// <summary>An endpoint of plain HTTP that answers every request with 200, keeps connections, and remembers heads.</summary>
internal sealed class OkEndpoint : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<Stream, Task<Stream>> _wrap;

    /// <param name="wrap">What is spoken below HTTP; null: nothing.</param>
    public OkEndpoint(Func<Stream, Task<Stream>>? wrap = null)
    {
        _wrap = wrap ?? (static stream => Task.FromResult(stream));
        _listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public System.Collections.Concurrent.ConcurrentQueue<string> Heads { get; } = new();

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test ends.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        try
        {
            await using var stream = await _wrap(client.GetStream());
            var head = new StringBuilder();
            var buffer = new byte[4096];
            while (await stream.ReadAsync(buffer, _stop.Token) is > 0 and var read)
            {
                head.Append(Encoding.Latin1.GetString(buffer, 0, read));
                if (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
                    continue;
                Heads.Enqueue(head.ToString());
                head.Clear();
                await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"u8.ToArray(), _stop.Token);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or AuthenticationException or ObjectDisposedException)
        {
            // The gateway has left, or the test ends.
        }
    }
}
