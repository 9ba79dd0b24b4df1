using System.Net.Sockets;
using Holdfast.Relay.Links;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>One peer: makes random frames, sends them in random pieces, reads at random, and remembers both.</summary>
internal sealed class RandomPeer
{
    private readonly bool _client;
    private readonly List<byte[]> _said = [];
    private readonly List<byte> _heard = [];
    private readonly byte[] _buffer = new byte[8192];
    private bool _inMessage;
    private bool _silent;
    private int _parsed;
    private int _frames;

    public RandomPeer(Socket socket, bool client)
    {
        Socket = socket;
        _client = client;
        socket.Blocking = false;
    }

    public Socket Socket { get; }

    /// <summary>Says how it ends before it does; null: it is a socket of TCP.</summary>
    public LinkedPeer? Link { get; init; }

    public RandomPeer Other { get; set; } = null!;

    public List<byte> ToSend { get; } = [];

    public bool Deaf { get; set; }

    /// <summary>Frames that the other should hear: all but the pongs to pings that are not its own.</summary>
    public int FramesSent => _said.Count(f => !IsPongOfOurs(f));

    public void TrySend(Random random, bool says)
    {
        if (says && ToSend.Count < 20_000 && !_silent)
            Say(RandomFrame(random));
        if (ToSend.Count == 0)
            return;
        try
        {
            var piece = ToSend.GetRange(0, random.Next(1, Math.Min(ToSend.Count, random.Next(3) == 0 ? 8 : 8000) + 1)).ToArray();
            ToSend.RemoveRange(0, Socket.Send(piece));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            if (e is not SocketException { SocketErrorCode: SocketError.WouldBlock })
                Silence();
        }
    }

    public void TryReceive(Random random)
    {
        if (Deaf)
            return;
        try
        {
            for (int n, rounds = random.Next(1, 4); rounds > 0 && (n = Socket.Receive(_buffer, random.Next(1, _buffer.Length), SocketFlags.None)) > 0; rounds--)
                _heard.AddRange(_buffer.AsSpan(0, n));
            AnswerPings();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            AnswerPings();
        }
    }

    public void Finish()
    {
        Silence();
        _ = Link?.TrySetEnd(LinkEnd.Eof);
        try
        {
            Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It was gone already.
        }
    }

    public void Reset(LinkEnd linkEnd = LinkEnd.Reset)
    {
        Silence();
        if (linkEnd != LinkEnd.None)
            _ = Link?.TrySetEnd(linkEnd);
        if (!Socket.SafeHandle.IsClosed)
            Socket.LingerState = new LingerOption(enable: true, 0);
        Socket.Dispose();
    }

    public void SayClose(Random random)
    {
        if (_silent)
            return;
        Say(Frames.CloseFrame(_client, random.Next(3) == 0 ? 0 : 1000));
        _silent = true;
        if (random.Next(2) == 0)
            ToSend.AddRange(RandomFrame(random));     // Must not be passed on.
    }

    public void SayNonsense(Random random)
    {
        if (_silent)
            return;
        _silent = true;
        ToSend.AddRange(_client ? [0x8F, 0x80, 1, 2, 3, 4] : [0x8F, 0]);
        ToSend.AddRange(new byte[random.Next(100)]);
    }

    public int MessagesOf()
    {
        AnswerPings();
        return _frames;
    }

    /// <summary>What was heard is what the other said, but for our own pings, their pongs, and one Close of ours at the end.</summary>
    public void AssertHeardRight(bool wholly)
    {
        var expected = Other._said.Where(f => !IsPongOfOurs(f)).ToList();
        var heard = new Span<byte>([.. _heard]);
        var next = 0;
        while (TryFrame(heard, out var frame))
        {
            heard = heard[frame.Length..];
            if (IsPongOfOurs(frame) || IsPingOfOurs(frame))
                continue;
            if (next < expected.Count && frame.SequenceEqual(expected[next]))
            {
                next++;
                continue;
            }

            Assert.Equal(Frames.Close, frame[0] & 0x0F);
            // A code; and for a client that is to come back when, and for one that went over a limit which.
            var payload = frame.Length - (_client ? 2 : 6);
            var reason = frame[Math.Min(4, frame.Length)..];
            var isTold = _client && (reason.StartsWith("retry-after="u8) || reason.StartsWith("message over "u8) || reason.StartsWith("more than "u8));
            Assert.True(payload == 2 || isTold, $"a Close of {payload} bytes");
            Assert.Equal(0, heard.Length);
            return;
        }

        if (wholly)
            Assert.Equal((expected.Count, 0), (next, heard.Length));
        // The rest is the start of a frame that was on its way, or of one of ours.
        var pending = next < expected.Count ? expected[next] : [];
        Assert.True(
            heard.Length == 0 || pending.AsSpan().StartsWith(heard) || heard[0] is 0x88 or 0x89,
            "the last bytes are no start of what was to come");
    }

    private static bool IsPongOfOurs(ReadOnlySpan<byte> frame) => frame[0] == 0x8A && (frame[1] & 0x7F) == 8;

    private static bool IsPingOfOurs(ReadOnlySpan<byte> frame) => frame[0] == 0x89 && (frame[1] & 0x7F) == 8;

    private static bool TryFrame(ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> frame)
    {
        frame = default;
        if (bytes.Length < 2)
            return false;
        long length = bytes[1] & 0x7F;
        var header = length == 126 ? 4 : length == 127 ? 10 : 2;
        if (bytes.Length < header)
            return false;
        if (header > 2)
        {
            length = 0;
            foreach (var b in bytes[2..header])
                length = (length << 8) | b;
        }

        var whole = header + ((bytes[1] & 0x80) != 0 ? 4 : 0) + length;
        if (bytes.Length < whole)
            return false;
        frame = bytes[..(int)whole];
        return true;
    }

    private void AnswerPings()
    {
        var all = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_heard);
        while (TryFrame(all[_parsed..], out var frame))
        {
            _parsed += frame.Length;
            if (!IsPingOfOurs(frame))
            {
                // A second pong to a ping that was sent twice is passed on.
                _frames += IsPongOfOurs(frame) ? 0 : 1;
                continue;
            }

            if (_silent)
                continue;
            var payload = frame[^8..].ToArray();
            for (var i = 0; !_client && i < 8; i++)
                payload[i] ^= frame[2 + (i & 3)];
            Say(_client ? Frames.FromClient(Frames.Pong, payload) : Frames.FromServer(Frames.Pong, payload));
        }
    }

    private void Silence()
    {
        _silent = true;
        ToSend.Clear();
    }

    private void Say(byte[] frame)
    {
        _said.Add(frame);
        ToSend.AddRange(frame);
    }

    private byte[] RandomFrame(Random random)
    {
        int opcode;
        var fin = true;
        if (random.Next(4) == 0)
        {
            opcode = random.Next(2) == 0 ? Frames.Ping : Frames.Pong;
        }
        else
        {
            fin = random.Next(3) != 0;
            opcode = _inMessage ? Frames.Continuation : Frames.Binary;
            _inMessage = !fin;
        }

        // Control frames of eight bytes are left to the gateway.
        var length = opcode >= 8 ? random.Next(9, 126) : random.Next(8) == 0 ? random.Next(70_000) : random.Next(400);
        var payload = new byte[length];
        random.NextBytes(payload);
        return _client ? Frames.FromClient(opcode, payload, fin, (uint)random.Next()) : Frames.FromServer(opcode, payload, fin);
    }
}
