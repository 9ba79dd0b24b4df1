using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>The clients and endpoints of a history.</summary>
internal sealed partial class HeldHistory
{
    /// <summary>A non-blocking end of a connection: frames wait to be sent, in pieces cut anywhere; whole messages come in.</summary>
    private abstract class Peer(HeldHistory history, Socket socket, bool isClient)
    {
        private static readonly byte[] Space = new byte[128 * 1024];
        private readonly FrameReader _reader = new(masked: !isClient);
        private readonly List<byte> _message = [];
        private readonly List<byte> _toSend = [];
        private bool _isDisposed;
        private int _pausedUntil;

        public bool IsEnded { get; private set; }

        public bool IsReset { get; private set; }

        /// <summary>Nothing of ours waits.</summary>
        public bool IsSent => _toSend.Count == 0;

        public long BytesSent { get; private set; }

        public bool HeardClose { get; private set; }

        public bool SaidClose { get; private set; }

        /// <summary>Reads nothing for now.</summary>
        public bool IsPaused => History._turn < _pausedUntil;

        protected HeldHistory History => history;

        public void Send(Random random, bool all)
        {
            while (_toSend.Count > 0 && !IsEnded)
            {
                var count = all || random.Next(3) == 0 ? _toSend.Count : random.Next(1, Math.Min(_toSend.Count, 20_000) + 1);
                var sent = socket.Send(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_toSend)[..count], SocketFlags.None, out var error);
                if (error is not (SocketError.Success or SocketError.WouldBlock))
                    IsEnded = IsReset = true;
                BytesSent += sent;
                _toSend.RemoveRange(0, sent);
                if (!all || error != SocketError.Success)
                    return;
            }
        }

        /// <summary>Takes what has come, without looking at it.</summary>
        public void Take()
        {
            while (!IsEnded)
            {
                var count = socket.Receive(Space, SocketFlags.None, out var error);
                if (error == SocketError.WouldBlock)
                    return;
                if (error != SocketError.Success || count == 0)
                {
                    IsEnded = true;
                    IsReset = error != SocketError.Success;
                    return;
                }

                TakeBytes(Space.AsSpan(0, count));
            }
        }

        /// <summary>Looks at what was taken.</summary>
        public void Hear()
        {
            while (_reader.TryRead(out var frame))
            {
                switch (frame.Opcode)
                {
                    case Frames.Ping:
                        OnPing(frame.Payload);
                        break;
                    case Frames.Pong:
                        OnPong(frame.Payload);
                        break;
                    case Frames.Close:
                        HeardClose = true;
                        OnClose(frame);
                        break;
                    default:
                        _message.AddRange(frame.Payload);
                        if (!frame.Fin)
                            break;
                        OnMessage([.. _message]);
                        _message.Clear();
                        break;
                }
            }
        }

        public void Pause(int turns) => _pausedUntil = History._turn + turns;

        public void Reset()
        {
            if (!_isDisposed)
                socket.LingerState = new LingerOption(enable: true, 0);
            End();
        }

        public void End()
        {
            socket.Dispose();
            IsEnded = _isDisposed = true;
            _toSend.Clear();
        }

        public void SayClose(int code)
        {
            if (!SaidClose)
                Say(Frames.Close, Frames.ClosePayload(code, []));
            SaidClose = true;
        }

        protected virtual void TakeBytes(ReadOnlySpan<byte> bytes) => _reader.Add(bytes);

        protected abstract void OnMessage(byte[] message);

        protected abstract void OnPong(byte[] payload);

        protected abstract void OnClose(ReceivedFrame frame);

        protected virtual void OnPing(byte[] payload) => Say(Frames.Pong, payload);

        protected void Say(int opcode, ReadOnlySpan<byte> payload, bool fin = true)
        {
            if (!SaidClose)
                _toSend.AddRange(isClient ? Frames.FromClient(opcode, payload, fin, (uint)payload.Length * 2654435761u) : Frames.FromServer(opcode, payload, fin));
        }

        protected void SayBytes(ReadOnlySpan<byte> bytes) => _toSend.AddRange(bytes);

        /// <summary>A message in one or several frames; between them, what <paramref name="between"/> says.</summary>
        protected void SayMessage(Random random, ReadOnlySpan<byte> message, Action between)
        {
            var opcode = Frames.Binary;
            for (var frames = random.Next(3) == 0 ? random.Next(2, 5) : 1; frames > 1; frames--)
            {
                var count = random.Next(message.Length + 1);
                Say(opcode, message[..count], fin: false);
                message = message[count..];
                opcode = Frames.Continuation;
                if (random.Next(3) == 0)
                    between();
            }

            Say(opcode, message);
        }
    }

    /// <summary>Sends messages that are numbered from 0 on by their first byte, and hears each answered at most once, in order.</summary>
    private sealed class Client(HeldHistory history, Socket socket, int number) : Peer(history, socket, isClient: true)
    {
        private readonly List<byte[]> _messages = [];
        private readonly List<string> _pings = [];
        private readonly HashSet<string> _pongs = new(StringComparer.Ordinal);
        private int _lastDelivered = -1;
        private int _lastAnswered = -1;

        public int Port { get; } = ((IPEndPoint)socket.LocalEndPoint!).Port;

        public int Sent => _messages.Count;

        public int Delivered { get; private set; }

        public bool IsOpen => !IsEnded && !HeardClose;

        /// <summary>Every ping has been answered.</summary>
        public bool IsAnswered => _pongs.Count == _pings.Count;

        public void SayMessage(Random random)
        {
            if (_messages.Count == byte.MaxValue || SaidClose)
                return;
            var message = new byte[random.Next(12) == 0 ? random.Next(1, 200 * 1024) : random.Next(1, 300)];
            random.NextBytes(message);
            message[0] = (byte)_messages.Count;
            if (message.Length > 1)
                message[1] = (byte)number;
            _messages.Add(message);
            SayMessage(random, message, SayPing);
        }

        public void SayPing()
        {
            if (SaidClose)
                return;
            var payload = FormattableString.Invariant($"c{number}:{_pings.Count}");
            _pings.Add(payload);
            Say(Frames.Ping, Encoding.ASCII.GetBytes(payload));
        }

        /// <summary>An endpoint got a whole message.</summary>
        public int OnDelivered(byte[] message)
        {
            int n = message[0];
            History.Check(n < _messages.Count && message.AsSpan().SequenceEqual(_messages[n]), "an endpoint got a message that was never sent");
            History.Check(n > _lastDelivered, $"message {n} of client {number} came again, or behind {_lastDelivered}");
            History.Check(!History.IsPlanned || n == _lastDelivered + 1, $"message {n} of client {number} came right behind {_lastDelivered}");
            _lastDelivered = n;
            Delivered++;
            return n;
        }

        protected override void OnMessage(byte[] message)
        {
            int n = message[0];
            History.Check(n > _lastAnswered && n < _messages.Count && message.Skip(1).All(b => b == (byte)(n ^ number)), $"answer {n} comes twice, late or mangled");
            _lastAnswered = n;
        }

        protected override void OnPong(byte[] payload)
        {
            // The gateway may answer one before an endpoint that is leaving has answered the one before.
            var text = Encoding.ASCII.GetString(payload);
            History.Check(_pings.Contains(text) && _pongs.Add(text), $"a pong answers no ping, or one again: {text}");
        }

        protected override void OnClose(ReceivedFrame frame) => SayClose(frame.CloseCode);
    }

    /// <summary>An endpoint's end of one connection.</summary>
    private sealed class Served(HeldHistory history, Socket socket, Endpoint endpoint) : Peer(history, socket, isClient: false)
    {
        private readonly List<byte> _head = [];
        private readonly Queue<(int Turn, int Number)> _answers = new();
        private Client? _client;
        private int _clientNumber;
        private int _closeAt = int.MaxValue;
        private int _closeCode;
        private int _pings;

        public bool IsOpen => _client is not null && !IsEnded;

        public bool IsSilent { get; set; }

        /// <summary>Reads nothing any more.</summary>
        public bool IsDeafForGood { get; private set; }

        public bool IsDeaf => IsDeafForGood || IsPaused;

        public void Deafen() => IsDeafForGood = true;

        public void SayPing() => Say(Frames.Ping, Encoding.ASCII.GetBytes(FormattableString.Invariant($"e{endpoint.Id}:{_pings++}")));

        /// <summary>Says a Close frame after some turns.</summary>
        public void CloseLater(int code, int turns) => (_closeCode, _closeAt) = (code, Math.Min(_closeAt, History._turn + turns));

        /// <summary>What is due this turn.</summary>
        public void Act()
        {
            if (_client is null || IsEnded || IsDeafForGood)
                return;
            while (_answers.TryPeek(out var answer) && (answer.Turn <= History._turn || _closeAt <= History._turn))
            {
                var message = new byte[History._random.Next(10) == 0 ? History._random.Next(1, 150_000) : History._random.Next(1, 200)];
                Array.Fill(message, (byte)(answer.Number ^ _clientNumber));
                message[0] = (byte)answer.Number;
                SayMessage(History._random, message, SayPing);
                _answers.Dequeue();
            }

            if (_closeAt <= History._turn)
                SayClose(_closeCode);
            if (SaidClose && HeardClose && IsSent)
                End();
        }

        protected override void TakeBytes(ReadOnlySpan<byte> bytes)
        {
            if (_client is not null)
            {
                base.TakeBytes(bytes);
                return;
            }

            _head.AddRange(bytes);
            var text = Encoding.ASCII.GetString([.. _head]);
            if (!text.EndsWith("\r\n\r\n", StringComparison.Ordinal))
                return;
            History.Check(text.Contains("\r\nHoldfast-Rehomed: ", StringComparison.Ordinal) == History._isRunning, "the re-home is not numbered");
            switch (endpoint.Manner)
            {
                case Manner.Hang:
                    return;
                case Manner.NotFound:
                    SayBytes("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"u8);
                    return;
                case Manner.Unavailable:
                    SayBytes("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"u8);
                    return;
                case Manner.Reset:
                    Reset();
                    return;
            }

            _clientNumber = text[text.IndexOf("X-Client: ", StringComparison.Ordinal) + 10] - '0';
            _client = History._clients[_clientNumber];
            SayBytes(Encoding.ASCII.GetBytes(RelayHarness.Switching));
            if (endpoint.Manner == Manner.CloseAtOnce)
                SayClose(1012);
        }

        protected override void OnMessage(byte[] message)
        {
            // Who has said Close may drop what comes.
            if (SaidClose || IsDeafForGood)
                return;
            var n = _client!.OnDelivered(message);
            if (History._random.Next(4) != 0)
                _answers.Enqueue((History._turn + History._random.Next(6), n));
        }

        protected override void OnPing(byte[] payload)
        {
            if (!IsSilent && !IsDeafForGood)
                base.OnPing(payload);
        }

        protected override void OnPong(byte[] payload)
        {
        }

        protected override void OnClose(ReceivedFrame frame) => CloseLater(frame.CloseCode == 0 ? 1000 : frame.CloseCode, History._random.Next(8) == 0 ? 20 : 0);
    }

    private enum Manner
    {
        Serve = 0,
        Unavailable,
        NotFound,
        Reset,
        Hang,
        CloseAtOnce,
    }

    private sealed class Endpoint(int id, int receiveBuffer)
    {
        public int Id => id;

        public Socket Listener { get; } = RawPeer.Listen(receiveBuffer);

        public Manner Manner { get; set; }

        public bool IsLeaving { get; set; }
    }
}
