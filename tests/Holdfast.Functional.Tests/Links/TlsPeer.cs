using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Links;

/// <summary>An endpoint's end of a TLS connection, blocking, with control over how it ends.</summary>
internal sealed class TlsPeer : IDisposable
{
    private readonly RawPeer _peer;
    private readonly SslStream _tls;

    private TlsPeer(RawPeer peer, SslStream tls) => (_peer, _tls) = (peer, tls);

    public Socket Socket => _peer.Socket;

    /// <summary>Accepts a connection and does the TLS handshake.</summary>
    public static TlsPeer Accept(Socket listener, X509Certificate2 certificate)
    {
        var peer = RawPeer.Accept(listener);
        var tls = new SslStream(new NetworkStream(peer.Socket, ownsSocket: false));
        // Offline: the rest of the chain is not looked for.
        tls.AuthenticateAsServer(new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, null, offline: true) });
        return new TlsPeer(peer, tls);
    }

    public void Send(ReadOnlySpan<byte> bytes) => _tls.Write(bytes);

    public string AnswerUpgrade()
    {
        var head = ReceiveHead();
        Send(System.Text.Encoding.ASCII.GetBytes(Upgrades.Switching(head)));
        return head;
    }

    public string ReceiveHead()
    {
        var head = "";
        while (!head.EndsWith("\r\n\r\n", StringComparison.Ordinal))
            head += (char)Receive(1)[0];
        return head;
    }

    /// <summary>A client's frame: its opcode and payload.</summary>
    public (int Opcode, byte[] Payload) ReceiveFrame()
    {
        var start = Receive(2);
        long length = start[1] & 0x7F;
        if (length >= 126)
            length = Receive(length == 126 ? 2 : 8).Aggregate(0L, static (sum, b) => (sum << 8) | b);
        var key = Receive(4);
        var payload = Receive((int)length);
        for (var i = 0; i < payload.Length; i++)
            payload[i] ^= key[i & 3];
        return (start[0] & 0x0F, payload);
    }

    /// <summary>Nothing more comes, and the connection has ended in order.</summary>
    public bool Ends() => _tls.ReadByte() < 0;

    /// <summary>Ends its direction in order: close_notify, then FIN.</summary>
    public async Task FinishAsync()
    {
        await _tls.ShutdownAsync();
        Socket.Shutdown(SocketShutdown.Send);
    }

    public void Reset() => _peer.Reset();

    public void Dispose()
    {
        _tls.Dispose();
        _peer.Dispose();
    }

    private byte[] Receive(int count)
    {
        var bytes = new byte[count];
        _tls.ReadExactly(bytes);
        return bytes;
    }
}
