using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Holdfast.Testing;

/// <summary>What a name server sends back: datagrams, or messages over TCP.</summary>
/// <param name="Cut">Over TCP: closed half-way through the last one.</param>
public sealed record DnsReply(IReadOnlyList<byte[]> Messages, bool Cut = false);

/// <summary>How a name server answers; the task may take as long as the test wants.</summary>
public delegate Task<DnsReply> DnsBehaviour(DnsQuestion question);

/// <summary>
/// A name server on a free loopback port, UDP and TCP, whose answers a test changes while it runs. What it was told nothing about does not
/// exist.
/// </summary>
public sealed class NameServer : IDisposable
{
    private readonly Socket _udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly Socket _tcp;
    private readonly ConcurrentDictionary<(string Name, int Type), DnsBehaviour> _names = new();
    private readonly ConcurrentQueue<DnsQuestion> _questions = new();
    private int _sent;

    public NameServer()
    {
        _udp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        // The same port for TCP may be taken: then another pair is.
        for (_tcp = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp); !TryBind(_tcp, Address);)
        {
            _udp.Dispose();
            _udp = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            _udp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        }

        _tcp.Listen();
        _ = Task.Run(ServeUdpAsync);
        _ = Task.Run(ServeTcpAsync);
    }

    public IPEndPoint Address => (IPEndPoint)_udp.LocalEndPoint!;

    /// <summary>All that was asked so far, in order.</summary>
    public IReadOnlyList<DnsQuestion> Questions => [.. _questions];

    /// <summary>Datagrams sent so far.</summary>
    public int Sent => Volatile.Read(ref _sent);

    public int Asked(string name) => _questions.Count(q => q.Name == name);

    /// <summary>The name has these addresses, of both families; with none of a family, it has no data there.</summary>
    public void Serve(string name, params string[] addresses) => Serve(name, Addresses(addresses));

    public void Serve(string name, DnsBehaviour behaviour) => (_names[(name, DnsMessages.A)], _names[(name, DnsMessages.Aaaa)]) = (behaviour, behaviour);

    public void Serve(string name, int type, DnsBehaviour behaviour) => _names[(name, type)] = behaviour;

    public static DnsBehaviour Addresses(params string[] addresses) => q => Reply(DnsMessages.Respond(q, DnsMessages.Records(q, null, addresses)));

    public static DnsBehaviour Code(int code) => q => Reply(DnsMessages.Respond(q, [], code));

    public static DnsBehaviour Silence => static _ => Reply();

    /// <summary>Bytes that are no DNS at all.</summary>
    public static DnsBehaviour Garbage => static _ => Reply("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray(), [], [0xFF]);

    /// <summary>The right id and question, then records that break off.</summary>
    public static DnsBehaviour Broken => static q => Reply(DnsMessages.Respond(q, [[0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 200]]));

    /// <summary>As somebody would who guesses ids: wrong ones, each with an address of the guesser's.</summary>
    public static DnsBehaviour WrongIds(string address, DnsBehaviour then) => async q =>
    {
        var forged = Enumerable.Range(1, 8).Select(i => DnsMessages.Respond(q with { Id = (ushort)(q.Id + i) }, DnsMessages.Records(q, null, [address])));
        return new DnsReply([.. forged, .. (await then(q)).Messages]);
    };

    /// <summary>Over UDP nothing but the word that it did not fit.</summary>
    public static DnsBehaviour Truncated(DnsBehaviour overTcp) => q => q.IsTcp ? overTcp(q) : Reply(DnsMessages.Respond(q, [], truncated: true));

    public static DnsBehaviour Cut(DnsBehaviour whole) => async q => await whole(q) with { Cut = true };

    public static DnsBehaviour After(Task gate, DnsBehaviour then) => async q =>
    {
        await gate;
        return await then(q);
    };

    public void Dispose()
    {
        _udp.Dispose();
        _tcp.Dispose();
    }

    private static Task<DnsReply> Reply(params byte[][] messages) => Task.FromResult(new DnsReply(messages));

    private static bool TryBind(Socket socket, IPEndPoint address)
    {
        try
        {
            socket.Bind(address);
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }

    private Task<DnsReply> AnswerAsync(ReadOnlySpan<byte> query, bool isTcp, EndPoint from)
    {
        var question = DnsMessages.Read(query, isTcp, from);
        _questions.Enqueue(question);
        if (_names.TryGetValue((question.Name, question.Type), out var behaviour))
            return behaviour(question);
        // A name that exists for another type has no data for this one.
        return Reply(DnsMessages.Respond(question, [], _names.Keys.Any(k => k.Name == question.Name) ? DnsMessages.NoError : DnsMessages.NameError));
    }

    private async Task ServeUdpAsync()
    {
        var buffer = new byte[65536];
        try
        {
            while (true)
            {
                var received = await _udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                var answer = AnswerAsync(buffer.AsSpan(0, received.ReceivedBytes), isTcp: false, received.RemoteEndPoint);
                _ = SendAsync(answer, received.RemoteEndPoint);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }

        async Task SendAsync(Task<DnsReply> answer, EndPoint to)
        {
            try
            {
                foreach (var message in (await answer).Messages)
                {
                    await _udp.SendToAsync(message, to);
                    Interlocked.Increment(ref _sent);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Whoever asked has gone, or the test is over.
            }
        }
    }

    private async Task ServeTcpAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _tcp.AcceptAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }

        async Task ServeAsync(Socket socket)
        {
            try
            {
                await using var stream = new NetworkStream(socket, ownsSocket: true);
                var length = new byte[2];
                await stream.ReadExactlyAsync(length);
                var query = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
                await stream.ReadExactlyAsync(query);
                var reply = await AnswerAsync(query, isTcp: true, socket.RemoteEndPoint!);
                foreach (var message in reply.Messages)
                {
                    byte[] framed = [(byte)(message.Length >> 8), (byte)message.Length, .. message];
                    await stream.WriteAsync(reply.Cut ? framed.AsMemory(0, framed.Length / 2) : framed);
                }
            }
            catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
            {
                // Whoever asked has gone.
            }
        }
    }
}
