using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Forwarding;

/// <summary>Heads: gathered whole within their time, judged, or answered.</summary>
internal sealed partial class RequestGuard
{
    private const int MaxHead = UpgradeHeads.MaxHead;

    /// <summary>For a whole head from its first byte on, as on the loops. Before that byte Kestrel's keep-alive time-out counts.</summary>
    private static readonly TimeSpan HeadTimeout = TimeSpan.FromSeconds(10);

    /// <summary>For a client to take a refusal and to leave.</summary>
    private static readonly TimeSpan RefusalTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Bytes of the next head that hold no end of one.</summary>
    private int _searched;

    private ITimer? _timer;
    private long _headStart;
    private int _clock;

    private enum Clock
    {
        Stopped,
        Running,
        Expired,
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadHeadAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await _inner.ReadAsync(cancellationToken).ConfigureAwait(false);
            var buffer = result.Buffer;
            var verdict = Search(buffer, out var end);
            if (verdict == Verdict.Wait && !buffer.IsEmpty && _timer is null)
                StartClock();
            if ((verdict != Verdict.Wait || result.IsCompleted || result.IsCanceled) && !IsInTime(stops: verdict != Verdict.Wait))
                verdict = Verdict.TooSlow;
            switch (verdict)
            {
                case Verdict.Whole:
                    _searched = 0;
                    _head = RequestHeads.Rent();
                    var fault = _head.Parse(buffer.Slice(0, end));
                    if (fault == HeadFault.None)
                    {
                        (_state, _left) = (State.Head, end);
                        return Show(result);
                    }

                    _inner.AdvanceTo(buffer.Start, buffer.End);
                    return await RefuseAsync(Refusals.OutcomeOf(fault), Refusals.Describe(fault)).ConfigureAwait(false);

                case Verdict.TooLarge:
                    _inner.AdvanceTo(buffer.Start, buffer.End);
                    return await RefuseAsync(HandshakeOutcome.HeadTooLarge, Refusals.Describe(HeadFault.TooLarge)).ConfigureAwait(false);

                case Verdict.BareLineFeed:
                    _inner.AdvanceTo(buffer.Start, buffer.End);
                    return await RefuseAsync(HandshakeOutcome.BadRequest, Refusals.Describe(HeadFault.ControlByte)).ConfigureAwait(false);

                case Verdict.TooSlow:
                    _inner.AdvanceTo(buffer.Start, buffer.End);
                    return await RefuseAsync(HandshakeOutcome.HeadTimeout, "The request head did not come whole in time.").ConfigureAwait(false);

                default:
                    _inner.AdvanceTo(buffer.Start, buffer.End);
                    if (result.IsCompleted || result.IsCanceled)
                        return Nothing(result.IsCanceled, result.IsCompleted);
                    break;
            }
        }
    }

    private enum Verdict
    {
        Wait,
        Whole,
        TooLarge,
        BareLineFeed,
        TooSlow,
    }

    /// <summary>Looks for the head's end in what has come since the last time.</summary>
    private Verdict Search(in ReadOnlySequence<byte> buffer, out int end)
    {
        // The empty line may have begun in the last three bytes seen.
        var from = Math.Max(0, _searched - 3);
        var most = (int)Math.Min(buffer.Length, MaxHead);
        var fresh = buffer.Slice(from, most - from);
        if (fresh.IsSingleSegment)
            return Search(fresh.FirstSpan, from, buffer.Length, out end);
        var copy = ArrayPool<byte>.Shared.Rent((int)fresh.Length);
        fresh.CopyTo(copy);
        var verdict = Search(copy.AsSpan(0, (int)fresh.Length), from, buffer.Length, out end);
        ArrayPool<byte>.Shared.Return(copy);
        return verdict;
    }

    private Verdict Search(ReadOnlySpan<byte> fresh, int from, long available, out int end)
    {
        end = HeadEnd.Find(fresh, 0);
        if (end >= 0)
        {
            end += from;
            return Verdict.Whole;
        }

        _searched = from + fresh.Length;
        // An empty line of bare LFs would never end the head by our rules: it is said now, not at the time-out.
        for (var i = 0; i < fresh.Length; i++)
        {
            var next = fresh[i..].IndexOf((byte)'\n');
            if (next < 0)
                break;
            i += next;
            if (i == 0 ? from == 0 : fresh[i - 1] != '\r')
                return Verdict.BareLineFeed;
        }

        return available > MaxHead ? Verdict.TooLarge : Verdict.Wait;
    }

    /// <summary>
    /// Answers what is no request, where the answers to all earlier ones have left, since Kestrel comes for a request only then. Nothing that follows is looked at.
    /// </summary>
    private async ValueTask<ReadResult> RefuseAsync(HandshakeOutcome outcome, string detail)
    {
        _state = State.Ended;
        var answer = new ByteBuffer();
        var status = Refusals.Write(answer, outcome, detail);
        guards.OnRefused?.Invoke(client, status);
        using var patience = new CancellationTokenSource(RefusalTimeout, guards.Time);
        try
        {
            var flush = await transport.Output.WriteAsync(answer.Bytes.ToArray(), patience.Token).ConfigureAwait(false);
            if (!flush.IsCompleted && !flush.IsCanceled && socket is not null)
                await LeaveAsync(socket, patience.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException)
        {
            // The client does not take it, or has left.
        }

        return Nothing(isCanceled: false, isCompleted: true);
    }

    /// <summary>Ends our direction and waits for the client to end its own: closed with bytes unread, a socket is reset, and the answer may be lost.</summary>
    private async ValueTask LeaveAsync(Socket socket, CancellationToken patience)
    {
        socket.Shutdown(SocketShutdown.Send);
        while (true)
        {
            var result = await _inner.ReadAsync(patience).ConfigureAwait(false);
            _inner.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted || result.IsCanceled)
                return;
        }
    }

    private void StartClock()
    {
        Volatile.Write(ref _headStart, guards.Time.GetTimestamp());
        Volatile.Write(ref _clock, (int)Clock.Running);
        _timer = guards.Time.CreateTimer(static guard => ((RequestGuard)guard!).OnTimer(), this, HeadTimeout, Timeout.InfiniteTimeSpan);
    }

    /// <summary>False: the head's time is over.</summary>
    private bool IsInTime(bool stops)
    {
        if (stops)
        {
            _timer?.Dispose();
            _timer = null;
            return Interlocked.Exchange(ref _clock, (int)Clock.Stopped) != (int)Clock.Expired;
        }

        return Volatile.Read(ref _clock) != (int)Clock.Expired;
    }

    private void OnTimer()
    {
        // A timer that was set for an earlier head may come late. Clocks may differ by a little.
        if (guards.Time.GetElapsedTime(Volatile.Read(ref _headStart)) < HeadTimeout / 2)
            return;
        if (Interlocked.CompareExchange(ref _clock, (int)Clock.Expired, (int)Clock.Running) == (int)Clock.Running)
            _inner.CancelPendingRead();
    }
}
