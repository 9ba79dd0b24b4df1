using System.Runtime.CompilerServices;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Telemetry;
using Microsoft.Extensions.Logging;

namespace Holdfast.Gateway.Tls;

/// <summary>
/// Every certificate, key and authority that the configuration names, read from files that are watched: contents that are whole and fit are in force for the next TLS handshake,
/// others change nothing. Thread-safe.
/// </summary>
internal sealed class CertificateStore : IAsyncDisposable
{
    /// <summary>Before a certificate's end, from when on it is told once a day. ACME clients renew 30 days before (certbot, cert-manager a third of its life): something is wrong then.</summary>
    public static readonly TimeSpan Notice = TimeSpan.FromDays(14);

    private static readonly TimeSpan Daily = TimeSpan.FromDays(1);

    private readonly TimeProvider _time;
    private readonly Func<ILogger> _logger;
    private readonly FilesWatcher _watcher;
    private readonly long _begin;
    private readonly Lock _gate = new();
    private readonly Dictionary<CertificateFiles, CertificatePair> _pairs = [];
    private readonly Dictionary<string, AuthoritiesFile> _authorities = new(StringComparer.Ordinal);
    private readonly ConditionalWeakTable<ListenerTlsOptions, ListenerTls> _listeners = [];
    private DateTimeOffset _toldAt = DateTimeOffset.MinValue;
    private bool _isSettling;

    /// <param name="logger">Asked when something is written.</param>
    public CertificateStore(TimeProvider time, Func<ILogger> logger)
    {
        (_time, _logger, _begin) = (time, logger, time.GetTimestamp());
        _watcher = new FilesWatcher(time, LookAsync);
    }

    /// <summary>
    /// Reads every file that the configuration names and that is not known yet, before it is applied. Throws <see cref="IOException"/> that names key and file; what is in force
    /// stays so. End it with <see cref="Keep"/>.
    /// </summary>
    public void Load(GatewayConfiguration configuration)
    {
        var found = new Wanted(configuration);
        lock (_gate)
        {
            // Read first, kept after: with one bad file the configuration is not applied.
            var pairs = found.Pairs.Where(p => !_pairs.ContainsKey(p.Key)).ToArray();
            var authorities = found.Authorities.Where(a => !_authorities.ContainsKey(a.Key)).ToArray();
            foreach (var (_, pair) in pairs)
                pair.Load();
            foreach (var (_, file) in authorities)
                file.Load();
            foreach (var (files, pair) in pairs)
                _pairs.Add(files, pair);
            foreach (var (path, file) in authorities)
                _authorities.Add(path, file);
            foreach (var listener in configuration.Listeners)
            {
                if (listener.Tls is { } tls)
                    _listeners.AddOrUpdate(tls, new ListenerTls(tls, [.. tls.Certificates.Select(c => _pairs[c])], tls.ClientCa is { } ca ? _authorities[ca] : null));
            }
        }
    }

    /// <summary>The configuration is in force: what it does not name is forgotten.</summary>
    public void Keep(GatewayConfiguration configuration)
    {
        var found = new Wanted(configuration);
        lock (_gate)
        {
            foreach (var files in _pairs.Keys.Where(f => !found.Pairs.ContainsKey(f)).ToArray())
                _pairs.Remove(files);
            foreach (var path in _authorities.Keys.Where(p => !found.Authorities.ContainsKey(p)).ToArray())
                _authorities.Remove(path);
            _toldAt = DateTimeOffset.MinValue;
            _watcher.Follow([.. _pairs.Values.SelectMany(static p => p.Paths), .. _authorities.Keys]);
        }
    }

    /// <summary>Looks at the files from here on.</summary>
    public void Start() => _watcher.Start();

    /// <summary>For TLS on a listener, whose options were loaded.</summary>
    public ListenerTls Of(ListenerTlsOptions options) =>
        _listeners.TryGetValue(options, out var tls) ? tls : throw new InvalidOperationException("The certificates were not loaded for this configuration.");

    /// <summary>A pair that was loaded.</summary>
    public CertificatePair Of(CertificateFiles files)
    {
        lock (_gate)
            return _pairs[files];
    }

    /// <summary>Authorities that were loaded.</summary>
    public AuthoritiesFile AuthoritiesOf(string path)
    {
        lock (_gate)
            return _authorities[path];
    }

    public ValueTask DisposeAsync() => _watcher.DisposeAsync();

    /// <summary>Looks at every file once. The time until the next look is due. One call at a time.</summary>
    internal async Task<TimeSpan> LookAsync(CancellationToken cancel)
    {
        WatchedFiles[] all;
        lock (_gate)
            all = [.. _pairs.Values, .. _authorities.Values];
        try
        {
            // A file server that does not answer holds this up, and nothing else: a stop does not wait for it.
            var contents = await Task.Run(() => Array.ConvertAll(all, static f => f.Read()), cancel).WaitAsync(cancel).ConfigureAwait(false);
            return Judge(all, contents);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            TlsLog.Bug(_logger(), e);
            return ConfigurationWatcher.Poll;
        }
    }

    private TimeSpan Judge(WatchedFiles[] all, FileContents[] contents)
    {
        var next = ConfigurationWatcher.Poll;
        var now = _time.GetElapsedTime(_begin);
        lock (_gate)
        {
            for (var i = 0; i < all.Length; i++)
            {
                if (all[i].IsDue(contents[i], now, out var again))
                    Take(all[i], contents[i]);
                next = again < next ? again : next;
            }

            TellDaily();
        }

        // Something changes: the directory that it is in may be a new one, of which no notice comes.
        if (next < ConfigurationWatcher.Poll && !_isSettling)
            _watcher.Renew();
        _isSettling = next < ConfigurationWatcher.Poll;
        return next;
    }

    private void Take(WatchedFiles files, FileContents contents)
    {
        if (files.TryTake(contents) is { } fault)
        {
            TlsLog.NotReplaced(_logger(), fault);
            return;
        }

        TlsLog.Replaced(_logger(), files.ToString(), UtcTime.Text(files.ExpiresAt));
        Tell(files, _time.GetUtcNow());
    }

    private void TellDaily()
    {
        var now = _time.GetUtcNow();
        if (now - _toldAt < Daily)
            return;
        _toldAt = now;
        foreach (var files in _pairs.Values)
            Tell(files, now);
        foreach (var files in _authorities.Values)
            Tell(files, now);
    }

    private void Tell(WatchedFiles files, DateTimeOffset now)
    {
        if (files.ExpiresAt <= now)
            TlsLog.Expired(_logger(), files.ToString(), UtcTime.Text(files.ExpiresAt));
        else if (files.ValidFrom > now)
            TlsLog.NotYetValid(_logger(), files.ToString(), UtcTime.Text(files.ValidFrom));
        else if (files.ExpiresAt - now < Notice)
            TlsLog.ExpiresSoon(_logger(), files.ToString(), UtcTime.Text(files.ExpiresAt), (int)(files.ExpiresAt - now).TotalDays);
    }

    /// <summary>All that a configuration names, once each, not read yet.</summary>
    private sealed class Wanted
    {
        public readonly Dictionary<CertificateFiles, CertificatePair> Pairs = [];
        public readonly Dictionary<string, AuthoritiesFile> Authorities = new(StringComparer.Ordinal);

        public Wanted(GatewayConfiguration configuration)
        {
            for (var i = 0; i < configuration.Listeners.Count; i++)
            {
                if (configuration.Listeners[i].Tls is not { } tls)
                    continue;
                var key = FormattableString.Invariant($"listeners[{i}].tls");
                for (var j = 0; j < tls.Certificates.Count; j++)
                {
                    var item = FormattableString.Invariant($"{key}.certificates[{j}]");
                    Add(tls.Certificates[j], $"{item}.certificate", $"{item}.key");
                }

                Add(tls.ClientCa, $"{key}.clientCa");
            }

            foreach (var backend in configuration.Backends)
            {
                var key = $"backends.{backend.Name}.tls";
                Add(backend.Tls?.ClientCertificate, $"{key}.certificate", $"{key}.key");
                Add(backend.Tls?.Ca, $"{key}.ca");
            }
        }

        private void Add(CertificateFiles? files, string key, string keyOfKey)
        {
            if (files is not null)
                Pairs.TryAdd(files, new CertificatePair(key, keyOfKey, files));
        }

        private void Add(string? path, string key)
        {
            if (path is not null)
                Authorities.TryAdd(path, new AuthoritiesFile(key, path));
        }
    }
}
