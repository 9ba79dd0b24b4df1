using Holdfast.Wire.WebSocket;

namespace Holdfast.Cli.Load;

/// <summary>
/// Judges every message that arrives on one connection, and at the end what did not. A corrupted answer whose header is still one that was
/// sent stands for that message; one whose header is not stands for some missing message of its connection: neither is also lost.
/// </summary>
internal sealed class MessageTally(int connection, LoadLane lane)
{
    private readonly SequenceLedger _ledger = lane.Options.Check == LoadCheck.Echo ? SequenceLedger.FromZero() : SequenceLedger.FromFirstArrival();
    private readonly byte[] _start = lane.Options.Check == LoadCheck.Sequence ? new byte[SequencePayload.Look] : [];
    private EchoReader _reader;
    private int _startLength;
    private long _unidentified;
    private long _lastArrival;
    private Opcode _opcode;

    /// <summary>Takes a piece that the scanner has just passed, header included when the frame started there.</summary>
    public void Take(in FrameScanner scanner, ReadOnlySpan<byte> piece, long sent)
    {
        if (scanner.FrameStarted)
        {
            piece = piece[scanner.HeaderLength..];
            if (scanner.Opcode != Opcode.Continuation)
                Begin(scanner.Opcode);
        }

        if (lane.Options.Check == LoadCheck.Echo)
        {
            _reader.Take(piece, connection, sent, lane.Schedule);
        }
        else if (_startLength < _start.Length)
        {
            var taken = Math.Min(piece.Length, _start.Length - _startLength);
            piece[..taken].CopyTo(_start.AsSpan(_startLength));
            _startLength += taken;
        }

        if (!scanner.MessageEnded)
            return;
        lane.Received++;
        if (lane.Options.Check == LoadCheck.Echo)
            JudgeEcho();
        else
            JudgeNumbered();
    }

    /// <summary>Messages of those sent that have no answer.</summary>
    public long Missing(long sent) => lane.Options.Check == LoadCheck.Echo ? Math.Max(0, _ledger.Missing(sent) - _unidentified) : 0;

    public void Settle(LoadTotals totals, long sent, long notSent, bool disconnected)
    {
        var lost = Math.Max(0, _ledger.Missing(lane.Options.Check == LoadCheck.Echo ? sent : 0) - _unidentified);
        totals.Lost += lost;
        totals.LostWithConnection += disconnected ? lost : 0;
        totals.NotSent += notSent;
        totals.Inexact |= _ledger.Inexact;
    }

    private void Begin(Opcode opcode)
    {
        _opcode = opcode;
        _startLength = 0;
        _reader.Begin();
    }

    private void JudgeEcho()
    {
        if (!_reader.IsIdentified)
        {
            lane.Corrupted++;
            _unidentified++;
            return;
        }

        var arrival = _ledger.Accept(_reader.Sequence);
        if (arrival != Arrival.Duplicate && _reader.Due >= lane.MeasuredFrom)
            lane.Latency.Record(lane.Elapsed() - _reader.Due);
        if (_opcode == Opcode.Binary && _reader.IsIntact(lane.Options.Size))
            Count(arrival);
        else
            lane.Corrupted++;
    }

    private void JudgeNumbered()
    {
        var now = lane.Clock.Now;
        if (_lastArrival != 0)
            lane.LongestSilence = Math.Max(lane.LongestSilence, now - _lastArrival);
        _lastArrival = now;
        if (SequencePayload.TryRead(_start.AsSpan(0, _startLength), out var number))
        {
            Count(_ledger.Accept(number));
        }
        else
        {
            lane.Corrupted++;
            _unidentified++;
        }
    }

    private void Count(Arrival arrival)
    {
        if (arrival == Arrival.Duplicate)
            lane.Duplicated++;
        else if (arrival == Arrival.Reordered)
            lane.Reordered++;
    }
}
