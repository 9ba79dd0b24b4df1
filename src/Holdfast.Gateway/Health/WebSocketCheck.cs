using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Gateway.Handshakes;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.Gateway.Health;

/// <summary>
/// A real upgrade, a ping that must be ponged, and a Close: what a user's client would meet. Messages that the application sends meanwhile are
/// read and dropped.
/// </summary>
internal static class WebSocketCheck
{
    private const int PingBytes = 8;

    public static async Task<CheckResult> RunAsync(CheckStream stream, string host, string path, CancellationToken cancel)
    {
        var key = NewKey();
        await stream.SendAsync(
            $"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {HttpCheck.UserAgent}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Encoding.ASCII.GetString(key)}\r\n\r\n",
            cancel).ConfigureAwait(false);
        var (head, broken) = await stream.ReadHeadAsync(cancel).ConfigureAwait(false);
        if (broken is not null)
            return broken.Value;
        if (Judge(head, key, out var reservedBits) is { } refused)
            return refused;

        var ping = RandomNumberGenerator.GetBytes(PingBytes);
        await stream.SendAsync(Control(Opcode.Ping, ping), cancel).ConfigureAwait(false);
        if (await AwaitPongAsync(stream, new FrameScanner(FrameSender.Server, reservedBits), ping, cancel).ConfigureAwait(false) is { } failed)
            return failed;
        await CloseAsync(stream, cancel).ConfigureAwait(false);
        return CheckResult.Passed;
    }

    private static byte[] NewKey()
    {
        var key = new byte[AcceptKey.KeyLength];
        AcceptKey.NewKey(RandomNumberGenerator.GetBytes(AcceptKey.KeyBytes), key);
        return key;
    }

    /// <summary>Null: it upgraded as it should.</summary>
    private static CheckResult? Judge(byte[] head, byte[] key, out ReservedBits reservedBits)
    {
        reservedBits = ReservedBits.Refused;
        var fault = ResponseHead.TryParse(head, out var response);
        if (fault != ResponseFault.None)
            return new CheckResult(CheckOutcome.BadAnswer, "it answered no valid HTTP: " + fault);
        if (response.Status != 101)
            return new CheckResult(CheckOutcome.BadStatus, FormattableString.Invariant($"it answered {response.Status} instead of 101"));
        Span<byte> expected = stackalloc byte[AcceptKey.Length];
        AcceptKey.Compute(key, expected);
        if (!UpgradeRules.IsAcceptable(in response, expected, offeredProtocols: null))
            return new CheckResult(CheckOutcome.BadAnswer, "its 101 does not prove the key, or is no upgrade to websocket as asked for");
        reservedBits = UpgradeRules.ReservedBitsOf(in response);
        return null;
    }

    /// <summary>Null: it came. Whoever pings us is answered, as RFC 6455 5.5.2 wants.</summary>
    private static async Task<CheckResult?> AwaitPongAsync(CheckStream stream, FrameScanner scanner, byte[] ping, CancellationToken cancel)
    {
        while (true)
        {
            switch (scanner.Next(stream.Unread, out var consumed))
            {
                case ScanStatus.Error:
                    return new CheckResult(CheckOutcome.BadAnswer, "it sent an illegal frame: " + scanner.Error);
                case ScanStatus.NeedMore:
                    if (!await stream.ReadAsync(cancel).ConfigureAwait(false))
                        return CheckResult.Ended;
                    continue;
                case ScanStatus.Control when scanner.Opcode == Opcode.Close:
                    return new CheckResult(CheckOutcome.BadAnswer, "it closed the WebSocket before it had answered a ping");
                case ScanStatus.Control:
                    var payload = stream.Unread[scanner.HeaderLength..consumed].ToArray();
                    stream.Take(consumed);
                    if (scanner.Opcode == Opcode.Pong && payload.AsSpan().SequenceEqual(ping))
                        return null;
                    if (scanner.Opcode == Opcode.Ping)
                        await stream.SendAsync(Control(Opcode.Pong, payload), cancel).ConfigureAwait(false);
                    continue;
                default:
                    stream.Take(consumed);
                    continue;
            }
        }
    }

    /// <summary>Says goodbye and reads to the end, as long as there is time: the endpoint has proved itself whatever it does now.</summary>
    private static async Task CloseAsync(CheckStream stream, CancellationToken cancel)
    {
        var code = new byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16BigEndian(code, (ushort)CloseCode.Normal);
        try
        {
            await stream.SendAsync(Control(Opcode.Close, code), cancel).ConfigureAwait(false);
            do
                stream.Take(stream.Unread.Length);
            while (await stream.ReadAsync(cancel).ConfigureAwait(false));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // It keeps the connection, or has reset it.
        }
    }

    private static byte[] Control(Opcode opcode, ReadOnlySpan<byte> payload)
    {
        Span<byte> frame = stackalloc byte[FrameWriter.MaxControlFrame];
        var key = BinaryPrimitives.ReadUInt32LittleEndian(RandomNumberGenerator.GetBytes(sizeof(uint)));
        return frame[..FrameWriter.WriteControl(frame, opcode, payload, key)].ToArray();
    }
}
