using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Handshakes;
using Holdfast.Wire.Http1;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Auth;

/// <summary>
/// One backend's auth service: its connections, what it answered, and how many questions are under way. Thread-safe. Made anew when its options change; whoever began with the old one
/// ends with it.
/// </summary>
internal sealed class AuthGate : IDisposable
{
    /// <summary>A service that flickers is told of no more often.</summary>
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly AuthPlaces _places;
    private readonly AuthCache _cache;
    private readonly string[] _copied;
    private readonly byte[][] _copiedBytes;
    private readonly string _backend;
    private readonly TimeProvider _time;
    private readonly Func<ILogger>? _logger;
    private AuthClient? _client;
    private int _asking;
    private bool _isRetired;
    private bool _toldFailing;
    private long? _toldAt;

    /// <param name="backend">Its name, for the log.</param>
    /// <param name="logger">Asked when something is written; null: nothing is.</param>
    public AuthGate(AuthOptions options, string backend = "", TimeProvider? time = null, Func<ILogger>? logger = null)
    {
        (Options, _backend, _time, _logger) = (options, backend, time ?? TimeProvider.System, logger);
        _places = new AuthPlaces(options.MaxInFlight);
        _cache = new AuthCache(_time);
        Forwarded = [.. options.ForwardHeaders.Select(static n => Encoding.ASCII.GetBytes(n.ToLowerInvariant())).Where(static n => !IsOfConnection(n))];
        _copied = [.. options.CopyHeaders.Where(static n => !IsOfConnection(Encoding.ASCII.GetBytes(n)))];
        _copiedBytes = [.. options.CopyHeaders.Select(Encoding.ASCII.GetBytes)];
    }

    public AuthOptions Options { get; }

    /// <summary>Names of the request headers that the service is sent, in lower case.</summary>
    public IReadOnlyList<byte[]> Forwarded { get; }

    /// <summary>Questions under way.</summary>
    public int InFlight => _places.Taken;

    /// <summary>Called after every place that is given back, a plain request's included, on that thread: must not wait.</summary>
    public Action? Released { get; set; }

    /// <summary>Whether the service is asked alike, lists compared by content.</summary>
    public static bool AreSame(AuthOptions? one, AuthOptions? other) => ReferenceEquals(one, other)
        || (one is not null && other is not null && one.Url == other.Url && one.Timeout == other.Timeout && one.MaxInFlight == other.MaxInFlight
            && one.ForwardHeaders.SequenceEqual(other.ForwardHeaders, StringComparer.OrdinalIgnoreCase)
            && one.CopyHeaders.SequenceEqual(other.CopyHeaders, StringComparer.Ordinal));

    /// <summary>
    /// Whether a request header is the service's to set, and so is removed from what anyone sends. Underscores count as hyphens: applications behind CGI's and WSGI's naming read both
    /// as one header.
    /// </summary>
    public bool IsCopied(ReadOnlySpan<byte> name)
    {
        foreach (var copied in _copiedBytes)
        {
            if (copied.Length == name.Length && IsAlike(copied, name))
                return true;
        }

        return false;
    }

    /// <summary>Takes one of <c>maxInFlight</c> places for a handshake; false: none is free. True: pair it with one <see cref="Exit"/>.</summary>
    public bool TryEnter() => _places.TryEnter();

    public void Exit()
    {
        _places.Exit();
        Released?.Invoke();
    }

    /// <summary>Asks; the caller has a place. Never throws but for cancellation.</summary>
    public async Task<AuthAnswer> AskAsync(AuthQuestion question, CancellationToken cancel)
    {
        var hash = question.Hash();
        return _cache.TryGet(hash, out var known) ? known : await AskServiceAsync(question, hash, cancel).ConfigureAwait(false);
    }

    /// <summary>Asks when a place is free, which may take <c>timeout</c> once more: for plain requests. Never throws but for cancellation.</summary>
    public async Task<AuthAnswer> AskInTurnAsync(AuthQuestion question, CancellationToken cancel)
    {
        var hash = question.Hash();
        if (_cache.TryGet(hash, out var known))
            return known;
        using (var limit = new CancellationTokenSource(Options.Timeout, _time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel))
        {
            try
            {
                if (!await _places.EnterPlainAsync(either.Token).ConfigureAwait(false))
                    return AuthAnswer.Fail("Too many requests wait for the auth service.");
            }
            catch (OperationCanceledException)
            {
                cancel.ThrowIfCancellationRequested();
                return AuthAnswer.Fail("The auth service is busy with other requests.");
            }
        }

        try
        {
            return await AskServiceAsync(question, hash, cancel).ConfigureAwait(false);
        }
        finally
        {
            _places.ExitPlain();
            Released?.Invoke();
        }
    }

    /// <summary>Its connections close when what is under way has ended; what comes nevertheless is still answered.</summary>
    public void Dispose()
    {
        AuthClient? unused;
        lock (_lock)
        {
            _isRetired = true;
            unused = TakeUnused();
        }

        unused?.Dispose();
    }

    private async Task<AuthAnswer> AskServiceAsync(AuthQuestion question, byte[] hash, CancellationToken cancel)
    {
        AuthClient client;
        lock (_lock)
        {
            client = _client ??= new AuthClient(Options, _copied);
            _asking++;
        }

        try
        {
            var askedAt = _time.GetTimestamp();
            using var limit = new CancellationTokenSource(Options.Timeout, _time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancel);
            var (answer, keep) = await client.AskAsync(question, either.Token).ConfigureAwait(false);
            if (keep > TimeSpan.Zero)
                _cache.Add(hash, answer, keep, askedAt);
            return Told(answer);
        }
        catch (Exception e)
        {
            cancel.ThrowIfCancellationRequested();
            if (AuthClient.Describe(e) is not { } detail)
            {
                detail = "The gateway failed to ask the auth service.";
                if (_logger is not null)
                    AuthLog.Bug(_logger(), _backend, e.GetType().Name, e.StackTrace);
            }

            return Told(AuthAnswer.Fail(detail));
        }
        finally
        {
            AuthClient? unused;
            lock (_lock)
            {
                _asking--;
                unused = TakeUnused();
            }

            unused?.Dispose();
        }
    }

    /// <summary>Under the lock.</summary>
    private AuthClient? TakeUnused()
    {
        if (!_isRetired || _asking > 0)
            return null;
        var client = _client;
        _client = null;
        return client;
    }

    /// <summary>Logs when the service begins to fail or answers again.</summary>
    private AuthAnswer Told(AuthAnswer answer)
    {
        var isFailing = answer.Verdict == AuthVerdict.Failed;
        lock (_lock)
        {
            if (isFailing == _toldFailing || (_toldAt is { } at && _time.GetElapsedTime(at) < BetweenLines))
                return answer;
            _toldFailing = isFailing;
            _toldAt = _time.GetTimestamp();
        }

        if (_logger is not null)
        {
            if (isFailing)
                AuthLog.Failing(_logger(), _backend, answer.Detail);
            else
                AuthLog.Recovered(_logger(), _backend);
        }

        return answer;
    }

    private static bool IsAlike(ReadOnlySpan<byte> copied, ReadOnlySpan<byte> name)
    {
        for (var i = 0; i < copied.Length; i++)
        {
            if (Fold(copied[i]) != Fold(name[i]))
                return false;
        }

        return true;

        static int Fold(byte b) => b is >= (byte)'A' and <= (byte)'Z' ? b | 0x20 : b == '_' ? '-' : b;
    }

    /// <summary>What belongs to a connection, or frames a message: neither told to the service nor taken from it, whatever the configuration says.</summary>
    private static bool IsOfConnection(ReadOnlySpan<byte> name) => UpgradeHeads.IsHopByHop(name) || UpgradeHeads.IsHoldfast(name) || HeadRules.NameEquals(name, "host"u8)
        || HeadRules.NameEquals(name, "content-length"u8) || HeadRules.NameEquals(name, "content-encoding"u8) || HeadRules.NameEquals(name, "expect"u8);
}
