using System.Runtime.CompilerServices;
using Holdfast.Gateway.Routing;
using Holdfast.Wire.Http1;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>
/// One request and its answer: up and down at the same time, each with backpressure, until the answer is whole. Whoever ends it early (a client that leaves, a time-out) says
/// why and aborts the connection to the endpoint; what waits on that then fails.
/// </summary>
internal sealed partial class Exchange : IDisposable
{
    /// <summary>How long an endpoint that was told Expect: 100-continue is waited for before the body goes all the same (RFC 9110 10.1.1 leaves it open; curl waits so long).</summary>
    private static readonly TimeSpan ContinuePatience = TimeSpan.FromSeconds(1);

    /// <summary>Informational answers before the final one.</summary>
    private const int MostInterim = 16;

    private readonly Lock _gate = new();
    private readonly PlainRequest _request;
    private readonly HttpContext _context;
    private readonly ExchangeSettings _settings;
    private readonly Route _route;
    private CancellationTokenRegistration _aborted;
    private ITimer? _requestTimer;
    private ITimer? _pieceTimer;
    private ExchangeEnd _end;
    private UpstreamConnection? _connection;
    private CancellationTokenSource? _connecting;

    public Exchange(PlainRequest request, Route route, ExchangeSettings settings)
    {
        (_request, _context, _settings, _route) = (request, request.Context, settings, route);
        HasBody = request.Head.IsChunked || request.Head.ContentLength > 0;
    }

    /// <summary>Something follows the request's head.</summary>
    public bool HasBody { get; }

    /// <summary>All of the body has been taken from the client, if there is one.</summary>
    public bool IsBodyTaken => !HasBody || _isBodyTaken;

    /// <summary>The whole head has been given to an endpoint.</summary>
    public bool IsSent { get; private set; }

    /// <summary>Of the final answer; 0: none came.</summary>
    public int Status { get; private set; }

    /// <summary>When its head came; 0: it did not.</summary>
    public long AnsweredAt { get; private set; }

    /// <summary>Bytes of the body taken from the client, and of the answer's body for it.</summary>
    public long BytesFromClient { get; private set; }

    public long BytesFromEndpoint { get; private set; }

    /// <summary>What ended it from the gateway's side.</summary>
    public ExchangeEnd End => _end;

    /// <summary>When the request's body is at fault: the status to answer with.</summary>
    public int BodyFault { get; private set; }

    public Exception? Bug { get; private set; }

    /// <summary>Watches the client and the time from here on.</summary>
    public void Begin()
    {
        _aborted = _context.RequestAborted.UnsafeRegister(static state => ((Exchange)state!).Abort(ExchangeEnd.ClientGone), this);
        if (_route.Options.Timeouts.Request is { Ticks: > 0 } time)
            _requestTimer = _settings.Time.CreateTimer(static state => ((Exchange)state!).Abort(ExchangeEnd.RequestTimeout), this, time, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Ends it; any thread.</summary>
    public void Abort(ExchangeEnd end)
    {
        lock (_gate)
        {
            if (_end != ExchangeEnd.None)
                return;
            _end = end;
            _connection?.Abort();
            _ = _connecting?.CancelAsync();
        }

        if (end == ExchangeEnd.ClientStalled)
            _context.Abort();
    }

    /// <summary>A connection within the route's time. Throws <see cref="UpstreamException"/> or <see cref="ExchangeEndedException"/>.</summary>
    public async ValueTask<UpstreamConnection> ConnectAsync(Func<CancellationToken, ValueTask<UpstreamConnection>> connect)
    {
        using var cancel = new CancellationTokenSource(_route.Options.Timeouts.Connect, _settings.Time);
        lock (_gate)
        {
            ThrowIfEnded();
            _connecting = cancel;
        }

        try
        {
            return await connect(cancel.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e)
        {
            ThrowIfEnded();
            throw new UpstreamException(UpstreamFault.ConnectTimeout, e);
        }
        finally
        {
            lock (_gate)
                _connecting = null;
        }
    }

    /// <summary>
    /// Runs it to the end of the answer. The connection is put back or disposed. Throws <see cref="UpstreamException"/>, <see cref="ExchangeEndedException"/>.
    /// </summary>
    /// <param name="head">For the endpoint; not needed any more once <see cref="IsSent"/>.</param>
    /// <param name="answered">Called with <paramref name="run"/> at the final answer's head, before anything of it is told to the client.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask RunAsync(UpstreamConnection connection, ReadOnlyMemory<byte> head, RequestRun run, Action<RequestRun> answered)
    {
        lock (_gate)
            _connection = connection;
        var uploading = Task.CompletedTask;
        var isKept = false;
        try
        {
            ThrowIfEnded();
            await SendHeadAsync(connection, head).ConfigureAwait(false);
            if (HasBody)
                uploading = UploadAsync(connection);
            isKept = await RelayAsync(connection, run, answered).ConfigureAwait(false) && (uploading.IsCompleted || await IsUploadedAsync(uploading).ConfigureAwait(false))
                && !_isUploadBroken;
        }
        catch (Exception e) when (_end != ExchangeEnd.None || IsInputOutput(e))
        {
            ThrowIfEnded();
            throw new UpstreamException(Status == 0 ? UpstreamFault.NoAnswer : UpstreamFault.BodyCut, e);
        }
        finally
        {
            lock (_gate)
                _connection = null;
            if (!uploading.IsCompleted)
                await StopUploadAsync(connection, uploading).ConfigureAwait(false);
            if (isKept)
                _settings.Pool.Return(connection, _idle);
            else
                connection.Dispose();
        }

        // The endpoint has done its part: its connection need not wait for the client to take the rest.
        if (_framing != BodyFraming.None)
            await CompleteAsync().ConfigureAwait(false);
    }

    public void Dispose()
    {
        _aborted.Dispose();
        _requestTimer?.Dispose();
        _pieceTimer?.Dispose();
    }

    private async ValueTask SendHeadAsync(UpstreamConnection connection, ReadOnlyMemory<byte> head)
    {
        try
        {
            await connection.WriteAsync(head).ConfigureAwait(false);
        }
        catch (Exception e) when (IsInputOutput(e))
        {
            ThrowIfEnded();
            throw new UpstreamException(UpstreamFault.NotSent, e);
        }

        IsSent = true;
    }

    private void ThrowIfEnded()
    {
        if (_end != ExchangeEnd.None)
            throw new ExchangeEndedException(_end);
    }

    private static bool IsInputOutput(Exception exception) =>
        exception is IOException or System.Net.Sockets.SocketException or ObjectDisposedException or OperationCanceledException;
}

/// <summary>What every exchange needs of the gateway.</summary>
/// <param name="LongestPiece">How long a client may take over one piece of an answer.</param>
internal sealed record ExchangeSettings(UpstreamPool Pool, TimeProvider Time, TimeSpan LongestPiece, Func<bool> IsLeaving);
