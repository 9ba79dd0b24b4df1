using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Holdfast.Testing;

/// <summary>
/// One end of a TCP connection, or of a socket pair, with control over every byte, FIN and reset: a client, or an endpoint. Blocking; a peer that never answers fails
/// the test after <see cref="Patience"/>. One thread sends, one (perhaps another) receives.
/// </summary>
public sealed class RawPeer : IDisposable
{
    /// <summary>How long anything may take before a test fails: long, because machines that run tests are busy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public RawPeer(Socket socket)
    {
        Socket = socket;
        if (socket.AddressFamily != AddressFamily.Unix)
            socket.NoDelay = true;
        socket.ReceiveTimeout = socket.SendTimeout = (int)Patience.TotalMilliseconds;
    }

    public Socket Socket { get; }

    /// <param name="receiveBuffer">Bytes of kernel buffer, to make a slow reader slow soon; 0: as usual.</param>
    public static RawPeer Connect(EndPoint address, int receiveBuffer = 0)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        socket.Connect(address);
        return new RawPeer(socket);
    }

    /// <summary>A listening socket.</summary>
    /// <param name="address">Null: a free port of 127.0.0.1.</param>
    public static Socket Listen(int receiveBuffer = 0, IPEndPoint? address = null)
    {
        address ??= new IPEndPoint(IPAddress.Loopback, 0);
        var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        if (receiveBuffer > 0)
            socket.ReceiveBufferSize = receiveBuffer;
        socket.Bind(address);
        socket.Listen(512);
        return socket;
    }

    public static RawPeer Accept(Socket listener)
    {
        if (!listener.Poll(Patience, SelectMode.SelectRead))
            throw new TimeoutException("nobody connected");
        return new RawPeer(listener.Accept());
    }

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[Socket.Send(bytes)..];
    }

    public void Send(string text) => Send(Encoding.Latin1.GetBytes(text));

    /// <summary>Exactly this many bytes.</summary>
    public byte[] Receive(int count)
    {
        var bytes = new byte[count];
        ReceiveInto(bytes);
        return bytes;
    }

    public void ReceiveInto(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var n = Socket.Receive(bytes);
            if (n == 0)
                throw new EndOfStreamException("the peer sent FIN");
            bytes = bytes[n..];
        }
    }

    /// <summary>Up to and including an empty line.</summary>
    public string ReceiveHead()
    {
        var head = new StringBuilder();
        Span<byte> one = stackalloc byte[1];
        while (head.Length < 4 || head.ToString(head.Length - 4, 4) != "\r\n\r\n")
        {
            ReceiveInto(one);
            head.Append((char)one[0]);
        }

        return head.ToString();
    }

    public ReceivedFrame ReceiveFrame()
    {
        var start = Receive(2);
        long length = start[1] & 0x7F;
        if (length >= 126)
        {
            var extended = Receive(length == 126 ? 2 : 8);
            length = 0;
            foreach (var b in extended)
                length = (length << 8) | b;
        }

        uint? key = null;
        if ((start[1] & 0x80) != 0)
        {
            var bytes = Receive(4);
            key = ((uint)bytes[0] << 24) | ((uint)bytes[1] << 16) | ((uint)bytes[2] << 8) | bytes[3];
        }

        var payload = Receive((int)length);
        for (var i = 0; key is not null && i < payload.Length; i++)
            payload[i] ^= (byte)(key.Value >> (24 - (8 * (i & 3))));
        return new ReceivedFrame(start[0] & 0x0F, (start[0] & 0x80) != 0, key, payload);
    }

    /// <summary>Reads to the peer's FIN: what came before it.</summary>
    public byte[] ReceiveToEnd()
    {
        using var all = new MemoryStream();
        var buffer = new byte[65536];
        for (int n; (n = Socket.Receive(buffer)) > 0;)
            all.Write(buffer, 0, n);
        return all.ToArray();
    }

    /// <summary>Reads to the peer's reset: what came before it. A FIN instead is an exception.</summary>
    public byte[] ReceiveToReset()
    {
        using var all = new MemoryStream();
        var buffer = new byte[65536];
        try
        {
            for (int n; (n = Socket.Receive(buffer)) > 0;)
                all.Write(buffer, 0, n);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            return all.ToArray();
        }

        throw new InvalidOperationException("the peer sent FIN, not a reset");
    }

    /// <summary>Sends FIN; still reads.</summary>
    public void Finish() => Socket.Shutdown(SocketShutdown.Send);

    /// <summary>Resets the connection.</summary>
    public void Reset()
    {
        Socket.LingerState = new LingerOption(enable: true, 0);
        Socket.Dispose();
    }

    public void Dispose() => Socket.Dispose();
}
