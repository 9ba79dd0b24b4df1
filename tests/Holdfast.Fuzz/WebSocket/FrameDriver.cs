using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Fuzz.WebSocket;

/// <summary>
/// Feeds a scanner piece by piece as a relay does, carrying what it did not consume, and records what it said. Between pieces the scanner is
/// saved as bytes and restored.
/// </summary>
internal sealed class FrameDriver(FrameSender sender, ReservedBits reservedBits)
{
    private FrameScanner _scanner = new(sender, reservedBits);
    private byte[] _held = [];

    public List<SeenFrame> Frames { get; } = [];

    public FrameError Error => _scanner.Error;

    /// <summary>Bytes offered before the piece that showed the error, and with it.</summary>
    public (int Before, int After) ErrorWithin { get; private set; }

    public int Passed { get; private set; }

    public int MessagesEnded { get; private set; }

    public bool AtFrameBoundary => _scanner.AtFrameBoundary;

    public bool AtMessageBoundary => _scanner.AtMessageBoundary;

    /// <summary>Runs a whole stream and demands that scanner and oracle agree in everything.</summary>
    public static void AssertAgreement(FrameSender sender, ReservedBits reservedBits, ReadOnlySpan<byte> stream, IEnumerable<int> pieces)
    {
        var oracle = new FrameOracle(sender, reservedBits);
        oracle.Feed(stream);
        var driver = new FrameDriver(sender, reservedBits);
        driver.Feed(stream, pieces);
        driver.AssertAgrees(oracle);
    }

    public void Feed(ReadOnlySpan<byte> stream, IEnumerable<int> pieces)
    {
        int offered = 0;
        foreach (int piece in pieces)
        {
            if (Error != FrameError.None)
                break;
            byte[] window = [.. _held, .. stream.Slice(offered, piece)];
            ErrorWithin = (offered, offered + piece);
            offered += piece;
            _held = Scan(window);
            FuzzFailure.Unless(Error != FrameError.None || _held.Length <= FrameScanner.MaxHeld, $"{_held.Length} bytes left unconsumed");
            _scanner = Restore(Save(_scanner));
        }
    }

    public void AssertAgrees(FrameOracle oracle)
    {
        FuzzFailure.UnlessEqual(oracle.Error, Error, "error");
        FuzzFailure.UnlessEqual(oracle.Frames.Count, Frames.Count, "number of frames");
        for (int i = 0; i < Frames.Count; i++)
            FuzzFailure.UnlessEqual(oracle.Frames[i], Frames[i], $"frame {i}");
        FuzzFailure.UnlessEqual(oracle.Passable, Passed, "bytes consumed");
        FuzzFailure.UnlessEqual(oracle.MessagesEnded, MessagesEnded, "messages ended");
        if (Error != FrameError.None)
        {
            bool atOnce = ErrorWithin.Before < oracle.ErrorAt && oracle.ErrorAt <= ErrorWithin.After;
            FuzzFailure.Unless(atOnce, $"error certain at {oracle.ErrorAt}, told within {ErrorWithin}");
            return;
        }

        FuzzFailure.UnlessEqual(oracle.AtFrameBoundary, AtFrameBoundary, "at a frame boundary");
        FuzzFailure.UnlessEqual(oracle.AtMessageBoundary, AtMessageBoundary, "at a message boundary");
    }

    private byte[] Scan(ReadOnlySpan<byte> window)
    {
        while (true)
        {
            ulong remainingBefore = _scanner.Remaining;
            ScanStatus status = _scanner.Next(window, out int consumed);
            switch (status)
            {
                case ScanStatus.Data or ScanStatus.Control:
                    FuzzFailure.Unless(consumed > 0, "a result without progress");
                    Record(status, consumed, remainingBefore);
                    Passed += consumed;
                    window = window[consumed..];
                    break;
                case ScanStatus.NeedMore:
                    FuzzFailure.UnlessEqual(0, consumed, "consumed with NeedMore");
                    return window.ToArray();
                default:
                    FuzzFailure.UnlessEqual(0, consumed, "consumed with Error");
                    FrameError first = Error;
                    FuzzFailure.UnlessEqual(ScanStatus.Error, _scanner.Next(window, out _), "the call after an error");
                    FuzzFailure.UnlessEqual(ScanStatus.Error, _scanner.Next([], out _), "the empty call after an error");
                    FuzzFailure.UnlessEqual(first, Error, "the error after more calls");
                    return window.ToArray();
            }
        }
    }

    private void Record(ScanStatus status, int consumed, ulong remainingBefore)
    {
        bool control = _scanner.Opcode >= Opcode.Close;
        FuzzFailure.UnlessEqual(control, status == ScanStatus.Control, "the status fits the opcode");
        FuzzFailure.UnlessEqual(remainingBefore == 0, _scanner.FrameStarted, "the frame started");
        ulong payload = (ulong)consumed - (_scanner.FrameStarted ? (ulong)_scanner.HeaderLength : 0);
        if (_scanner.FrameStarted)
        {
            Frames.Add(new SeenFrame(
                (int)_scanner.Opcode, _scanner.Fin, _scanner.Rsv1, _scanner.PayloadLength, _scanner.MaskKey, _scanner.HeaderLength, payload));
        }
        else
        {
            Frames[^1] = Frames[^1] with { Seen = Frames[^1].Seen + payload };
        }

        FuzzFailure.UnlessEqual(Frames[^1].PayloadLength - Frames[^1].Seen, _scanner.Remaining, "payload remaining");
        bool ended = !control && _scanner.Fin && _scanner.Remaining == 0;
        FuzzFailure.UnlessEqual(ended, _scanner.MessageEnded, "the message ended");
        if (ended)
            MessagesEnded++;
    }

    private static byte[] Save(FrameScanner scanner) => MemoryMarshal.AsBytes(new ReadOnlySpan<FrameScanner>(in scanner)).ToArray();

    private static FrameScanner Restore(byte[] saved)
    {
        FuzzFailure.UnlessEqual(Unsafe.SizeOf<FrameScanner>(), saved.Length, "the saved size");
        return MemoryMarshal.Read<FrameScanner>(saved);
    }
}
