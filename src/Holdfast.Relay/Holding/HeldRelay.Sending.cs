using System.Diagnostics;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Sessions;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Relay.Holding;

/// <summary>
/// What goes out beside what passes as it is: two endpoints may speak to one client, and the machine to all, but a message of one never comes inside a
/// message of another (RFC 6455 5.4).
/// </summary>
internal sealed partial class HeldRelay
{
    private byte[] _frame = new byte[1024];

    /// <summary>Sends what an endpoint said to the client; behind another's unfinished message it waits. False: the pair is gone.</summary>
    private bool SendDown(int index, SessionLeg origin, ReadOnlySpan<byte> bytes)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (IsOthersMessage(in held, origin))
        {
            held.Owed.Append(bytes);
            return true;
        }

        if (!_relay.Send(index, ref pair, Side.Downstream, bytes))
            return false;
        return held.Has(HoldFlags.DownOpen) || SendOwed(index);
    }

    /// <summary>At a message boundary towards the client: what waited for it. False: the pair is gone.</summary>
    private bool SendOwed(int index)
    {
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        if (!held.Owed.IsEmpty)
        {
            if (!_relay.Send(index, ref pair, Side.Downstream, held.Owed.Bytes))
                return false;
            held.Owed.Release();
        }

        if (held.Next >= 0 || held.Previous >= 0)
        {
            // They were not read while another's message was on its way.
            Wake(index);
            Wake(held.Next);
            Wake(held.Previous);
        }

        return true;
    }

    /// <summary>Sends what the session machine wants said. False: the pair is gone.</summary>
    private bool SendOutput(int index)
    {
        if (_output.Count == 0)
            return true;
        ref var pair = ref _core.Pairs[index];
        ref var held = ref _held[pair.Held];
        var alive = true;
        for (var i = 0; alive && i < _output.Count; i++)
        {
            var frame = FrameOf(_output.LegOf(i) != SessionLeg.Client, _output.IsText(i) ? Opcode.Text : Opcode.Binary, _output.PayloadOf(i));
            switch (_output.LegOf(i))
            {
                case SessionLeg.Client when held.Has(HoldFlags.DownOpen):
                    held.Owed.Append(frame);
                    break;
                case SessionLeg.Client:
                    alive = _relay.Send(index, ref pair, Side.Downstream, frame);
                    break;
                case SessionLeg.Current when HasCurrent(in pair):
                    Debug.Assert(!held.Has(HoldFlags.UpOpen), "A machine speaks to the current endpoint between the client's messages only.");
                    alive = _relay.Send(index, ref pair, Side.Upstream, frame);
                    break;
                case SessionLeg.Next when held.Next >= 0:
                    alive = _relay.Send(held.Next, ref _core.Pairs[held.Next], Side.Upstream, frame);
                    break;
                case SessionLeg.Previous when held.Previous >= 0:
                    alive = _relay.Send(held.Previous, ref _core.Pairs[held.Previous], Side.Upstream, frame);
                    break;
            }
        }

        _output.Clear();
        return alive;
    }

    /// <summary>A whole message as one frame, for an endpoint masked with a fresh key (RFC 6455 5.3). Valid until the next call.</summary>
    private ReadOnlySpan<byte> FrameOf(bool isMasked, Opcode opcode, ReadOnlySpan<byte> payload)
    {
        if (_frame.Length < FrameWriter.MaxHeader + payload.Length)
            _frame = new byte[FrameWriter.MaxHeader + (2 * payload.Length)];
        uint? key = isMasked ? _core.Random.NextUInt32() : null;
        var header = FrameWriter.WriteHeader(_frame, opcode, fin: true, (ulong)payload.Length, key);
        var body = _frame.AsSpan(header, payload.Length);
        payload.CopyTo(body);
        if (key is { } mask)
            Masking.Apply(body, mask, 0);
        return _frame.AsSpan(0, header + payload.Length);
    }
}
