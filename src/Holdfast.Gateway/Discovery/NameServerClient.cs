using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Holdfast.Wire.Dns;

namespace Holdfast.Gateway.Discovery;

/// <summary>
/// Puts one question to one name server: over UDP, and over TCP when the answer does not fit. Every question has a random id and a socket of
/// its own, whose port the kernel picks at random and which takes datagrams of that server only; what does not answer it is not looked at.
/// </summary>
internal sealed class NameServerClient(TimeProvider time)
{
    /// <summary>Fits every path without fragments (DNS Flag Day 2020).</summary>
    private const ushort LargestDatagram = 1232;

    /// <summary>Room for servers that send more than they were allowed to.</summary>
    private const int DatagramBuffer = 4096;

    /// <param name="timeout">Of each exchange.</param>
    public async Task<FamilyAnswer> AskAsync(IPEndPoint server, DnsName name, DnsRecordType type, bool useTcp, TimeSpan timeout, CancellationToken cancel)
    {
        var (failure, response) = await ExchangeAsync(server, new Question(name, type, LargestDatagram), useTcp, timeout, cancel).ConfigureAwait(false);
        // A server from before EDNS: asked without it (RFC 6891 section 6.2.2).
        if (failure is null && response.Code is DnsResponseCode.FormatError or DnsResponseCode.NotImplemented or DnsResponseCode.BadVersion)
            (failure, response) = await ExchangeAsync(server, new Question(name, type, 0), useTcp, timeout, cancel).ConfigureAwait(false);
        if (failure is { } outcome)
            return FamilyAnswer.Failed(outcome);
        return response.Code switch
        {
            DnsResponseCode.NoError => FamilyAnswer.Of(response.Addresses, TimeSpan.FromSeconds(response.TimeToLive)),
            DnsResponseCode.NameError => FamilyAnswer.Failed(LookupOutcome.Nxdomain),
            DnsResponseCode.Refused => FamilyAnswer.Failed(LookupOutcome.Refused),
            _ => FamilyAnswer.Failed(LookupOutcome.Servfail),
        };
    }

    private async Task<Exchange> ExchangeAsync(IPEndPoint server, Question question, bool useTcp, TimeSpan timeout, CancellationToken cancel)
    {
        if (!useTcp)
        {
            var overUdp = await TryAsync(ExchangeUdpAsync, server, question, timeout, cancel).ConfigureAwait(false);
            if (overUdp.Failure is not null || !overUdp.Response.IsTruncated)
                return overUdp;
        }

        var overTcp = await TryAsync(ExchangeTcpAsync, server, question, timeout, cancel).ConfigureAwait(false);
        return overTcp.Failure is null && overTcp.Response.IsTruncated ? new Exchange(LookupOutcome.Malformed, default) : overTcp;
    }

    private async Task<Exchange> TryAsync(Transport transport, IPEndPoint server, Question question, TimeSpan timeout, CancellationToken cancel)
    {
        using var timer = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancel);
        try
        {
            return await transport(server, question, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new Exchange(LookupOutcome.Timeout, default);
        }
        catch (SocketException)
        {
            return new Exchange(LookupOutcome.Unreachable, default);
        }
    }

    private static async Task<Exchange> ExchangeUdpAsync(IPEndPoint server, Question question, CancellationToken cancel)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(DatagramBuffer);
        var cameForeign = false;
        try
        {
            using var socket = new Socket(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            await socket.ConnectAsync(server, cancel).ConfigureAwait(false);
            _ = await socket.SendAsync(buffer.AsMemory(0, question.Write(buffer)), cancel).ConfigureAwait(false);
            while (true)
            {
                var count = await socket.ReceiveAsync(buffer.AsMemory(), cancel).ConfigureAwait(false);
                var fault = question.Read(buffer.AsSpan(0, count), out var response);
                if (fault != DnsFault.Foreign)
                    return new Exchange(fault == DnsFault.None ? null : LookupOutcome.Malformed, response);
                cameForeign = true;
            }
        }
        catch (OperationCanceledException) when (cameForeign)
        {
            return new Exchange(LookupOutcome.Malformed, default);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task<Exchange> ExchangeTcpAsync(IPEndPoint server, Question question, CancellationToken cancel)
    {
        // The largest message that TCP can frame, and its length before it.
        var buffer = ArrayPool<byte>.Shared.Rent(2 + ushort.MaxValue);
        try
        {
            using var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(server, cancel).ConfigureAwait(false);
            var asked = question.Write(buffer.AsSpan(2));
            BinaryPrimitives.WriteUInt16BigEndian(buffer, (ushort)asked);
            for (var sent = 0; sent < 2 + asked;)
                sent += await socket.SendAsync(buffer.AsMemory(sent, 2 + asked - sent), cancel).ConfigureAwait(false);
            if (!await ReceiveAsync(socket, buffer.AsMemory(0, 2), cancel).ConfigureAwait(false))
                return new Exchange(LookupOutcome.Malformed, default);
            var length = BinaryPrimitives.ReadUInt16BigEndian(buffer);
            if (!await ReceiveAsync(socket, buffer.AsMemory(0, length), cancel).ConfigureAwait(false))
                return new Exchange(LookupOutcome.Malformed, default);
            return question.Read(buffer.AsSpan(0, length), out var response) == DnsFault.None
                ? new Exchange(null, response)
                : new Exchange(LookupOutcome.Malformed, default);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>False: the server closed before all of it came.</summary>
    private static async Task<bool> ReceiveAsync(Socket socket, Memory<byte> memory, CancellationToken cancel)
    {
        while (!memory.IsEmpty)
        {
            var count = await socket.ReceiveAsync(memory, cancel).ConfigureAwait(false);
            if (count == 0)
                return false;
            memory = memory[count..];
        }

        return true;
    }

    private delegate Task<Exchange> Transport(IPEndPoint server, Question question, CancellationToken cancel);

    private readonly record struct Exchange(LookupOutcome? Failure, DnsResponse Response);

    /// <summary>A question with the id by which its answer is known.</summary>
    private readonly struct Question(DnsName name, DnsRecordType type, ushort udpSize)
    {
        private readonly ushort _id = (ushort)RandomNumberGenerator.GetInt32(ushort.MaxValue + 1);

        public int Write(Span<byte> destination) => DnsQuery.Write(destination, _id, name, type, udpSize);

        public DnsFault Read(ReadOnlySpan<byte> message, out DnsResponse response) => DnsResponse.TryParse(message, _id, name, type, out response);
    }
}
