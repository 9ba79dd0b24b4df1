using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Holdfast.Testing;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>Where the suite's bytes go, and how: what the oracle demands is the same everywhere.</summary>
/// <param name="Letter">In the ids of its runs.</param>
/// <param name="Address">Of the gateway.</param>
/// <param name="IsKeptAlive">A good request comes first on each connection, and its answer is awaited.</param>
/// <param name="Cuts">Several segments, and another client's request between them, where bytes are cut most awkwardly.</param>
internal sealed record Placement(char Letter, IPEndPoint Address, bool IsKeptAlive = false, bool Cuts = false)
{
    /// <summary>Of a listener that speaks TLS: whom its clients trust.</summary>
    public TestAuthority? Authority { get; init; }

    public string Protocol { get; init; } = "http/1.1";

    public string IdOf(int index) => string.Create(CultureInfo.InvariantCulture, $"k{index:D5}{Letter}");

    public async Task<SmugglingClient> ConnectAsync()
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(Address);
            Stream stream = new NetworkStream(socket, ownsSocket: true);
            if (Authority is not null)
            {
                var secure = new SslStream(stream);
                stream = secure;
                await secure.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
                {
                    TargetHost = "test.example",
                    ApplicationProtocols = [new SslApplicationProtocol(Protocol)],
                    CertificateChainPolicy = new X509ChainPolicy { RevocationMode = X509RevocationMode.NoCheck, TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { Authority.Certificate } },
                });
            }

            return new SmugglingClient(socket, stream);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The segments of a case's bytes.</summary>
    public IReadOnlyList<byte[]> Segments(byte[] bytes, int index)
    {
        if (!Cuts || bytes.Length < 4)
            return [bytes];
        var places = new SortedSet<int>();
        var text = Parts.Text(bytes);

        // Inside a CR LF pair, the head's last one and another; inside a word that frames; before the last byte of all; somewhere.
        if (text.IndexOf("\r\n\r\n", StringComparison.Ordinal) is >= 0 and var end)
            places.Add(end + 1 + (index % 3));
        if (text.IndexOf("\r\n", bytes.Length * (index % 7) / 7, StringComparison.Ordinal) is >= 0 and var pair)
            places.Add(pair + 1);
        if (text.IndexOf(index % 2 == 0 ? "Encoding" : "Length", StringComparison.OrdinalIgnoreCase) is >= 0 and var word)
            places.Add(word + 3);
        places.Add(1 + (index * 31 % (bytes.Length - 1)));
        places.Add(bytes.Length - 1);
        var segments = new List<byte[]>();
        var from = 0;
        foreach (var to in places.Append(bytes.Length))
        {
            segments.Add(bytes[from..to]);
            from = to;
        }

        return segments;
    }
}

/// <summary>A client's connection.</summary>
internal sealed class SmugglingClient(Socket socket, Stream stream) : IAsyncDisposable
{
    public AnswerReader Answers { get; } = new(stream);

    public Stream Stream => stream;

    public async Task SendAsync(byte[] bytes)
    {
        try
        {
            using var patience = new CancellationTokenSource(RawPeer.Patience);
            await stream.WriteAsync(bytes, patience.Token);
            await stream.FlushAsync(patience.Token);
        }
        catch (IOException)
        {
            // Closed by the gateway, whose answer tells why.
        }
    }

    /// <summary>Sends FIN (over TLS, its close first).</summary>
    public async Task FinishAsync()
    {
        try
        {
            if (stream is SslStream secure)
                await secure.ShutdownAsync();
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Closed by the gateway.
        }
    }

    /// <summary>Asks and reads the answer, as a client that means well; its status and body.</summary>
    public async Task<(int Status, string Body)> AskAsync(string id, string name)
    {
        await SendAsync(Parts.Bytes($"GET /{id}/{name} HTTP/1.1\r\n{Parts.Host}\r\n"));
        return await Answers.NextAsync(isHead: false) is { } answer ? (answer.Status, answer.Body) : (0, "");
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();
}
