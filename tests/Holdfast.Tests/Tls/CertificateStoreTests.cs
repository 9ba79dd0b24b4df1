using System.Collections.Concurrent;
using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Configuration;
using Holdfast.Gateway.Tls;
using Holdfast.Testing;
using Holdfast.Testing.Tls;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Holdfast.Tests.Tls;

/// <summary>Certificates that are read from real files, and replaced, with a clock that the test moves.</summary>
public sealed class CertificateStoreTests : IAsyncLifetime
{
    private readonly TestAuthority _root = new();
    private readonly CertificateFolder _folder = new();
    private readonly Clock _time = new();
    private readonly Messages _log = new();
    private readonly CertificateStore _store;

    public CertificateStoreTests() => _store = new CertificateStore(_time, () => _log);

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        _folder.Dispose();
        _root.Dispose();
    }

    [Fact]
    public async Task A_replaced_pair_is_in_force_when_it_has_stood_still()
    {
        var tls = Load(Write("a", _root.Issue("a.example")));
        var second = _root.Issue("a.example");
        Write("a", second);

        Assert.Equal(ConfigurationWatcher.Stillness, await _store.LookAsync(default));
        Assert.NotEqual(second.Serial, tls.Choose("a.example").Leaf.SerialNumber);
        await LookLaterAsync();
        Assert.Equal(second.Serial, tls.Choose("a.example").Leaf.SerialNumber);
        Assert.Contains("replaced", Assert.Single(_log.Take()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_comes_before_its_certificate_is_not_taken_until_that_is_there()
    {
        var (first, second) = (_root.Issue("a.example"), _root.Issue("a.example"));
        var tls = Load(Write("a", first));

        _folder.Replace("a.key", second.Key);
        await LookUntilJudgedAsync();
        Assert.Equal(first.Serial, tls.Choose("a.example").Leaf.SerialNumber);
        Assert.Equal($"Error listeners[0].tls.certificates[0].key: {_folder.File("a.key")}: it does not fit the certificate, which needs another ECDSA key. What was read before stays in force", Assert.Single(_log.Take()));
        await LookUntilJudgedAsync();
        Assert.Empty(_log.Take());      // Told once.

        _folder.Replace("a.crt", second.Chain);
        await LookUntilJudgedAsync();
        Assert.Equal(second.Serial, tls.Choose("a.example").Leaf.SerialNumber);
    }

    [Theory]
    [InlineData("", "there is no certificate in it")]
    [InlineData("-----BEGIN CERTIFICATE-----\nMII", "cut off or damaged")]
    [InlineData(null, "there is no such file")]
    public async Task What_cannot_be_read_changes_nothing_and_is_told(string? text, string fault)
    {
        var first = _root.Issue("a.example");
        var tls = Load(Write("a", first));

        if (text is null)
            File.Delete(_folder.File("a.crt"));
        else
            _folder.Replace("a.crt", text);
        await LookUntilJudgedAsync();

        Assert.Equal(first.Serial, tls.Choose("a.example").Leaf.SerialNumber);
        Assert.Contains(fault, Assert.Single(_log.Take()), StringComparison.Ordinal);
    }

    [Fact]
    public void At_the_start_every_fault_is_an_error_that_names_its_key()
    {
        var good = Write("a", _root.Issue("a.example"));
        var bad = new CertificateFiles(good.Certificate, _folder.File("none.key"));

        Assert.Equal($"listeners[0].tls.certificates[1].certificate: {bad.Key}: there is no such file", Assert.Throws<IOException>(() => Load(good, bad)).Message);
        var backend = Backend(new BackendTlsOptions { Ca = _folder.Replace("ca.pem", "no") });
        Assert.StartsWith($"backends.b.tls.ca: {_folder.File("ca.pem")}: there is no certificate in it", Assert.Throws<IOException>(() => _store.Load(backend)).Message, StringComparison.Ordinal);
        backend = Backend(new BackendTlsOptions { ClientCertificate = new CertificateFiles(good.Certificate, good.Certificate) });
        Assert.StartsWith($"backends.b.tls.key: {good.Certificate}: there is no private key in it", Assert.Throws<IOException>(() => _store.Load(backend)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_configuration_that_cannot_be_loaded_changes_nothing()
    {
        var tls = Load(Write("a", _root.Issue("a.example")));
        var before = tls.Choose(null);
        Write("a", _root.Issue("a.example"));

        Assert.Throws<IOException>(() => Load(Write("b", _root.Issue("b.example")), new CertificateFiles("/none", "/none")));

        Assert.Same(before, tls.Choose(null));
    }

    [Fact]
    public async Task A_certificate_that_is_still_configured_goes_on_being_watched()
    {
        var files = Write("a", _root.Issue("a.example"));
        _ = Load(files);
        var again = Load(files, Write("b", _root.Issue("b.example")));
        var second = _root.Issue("a.example");
        Write("a", second);

        await LookUntilJudgedAsync();

        Assert.Equal(second.Serial, again.Choose("a.example").Leaf.SerialNumber);
    }

    [Fact]
    public async Task A_certificates_end_is_told_from_two_weeks_before_once_a_day()
    {
        var files = Write("a", _root.Issue(new TestRequest { Names = ["a.example"], To = TimeSpan.FromDays(16) }));
        _ = Load(files);
        await _store.LookAsync(default);
        Assert.Empty(_log.Take());

        _time.Advance(TimeSpan.FromDays(3));
        await _store.LookAsync(default);
        await _store.LookAsync(default);
        Assert.Matches($"^Warning {files.Certificate} expires at .*, in 1[23] days$", Assert.Single(_log.Take()));

        _time.Advance(TimeSpan.FromDays(14));
        await _store.LookAsync(default);
        Assert.Matches($"^Error {files.Certificate} expired at ", Assert.Single(_log.Take()));

        Write("a", _root.Issue(new TestRequest { Names = ["a.example"], From = TimeSpan.FromDays(30), To = TimeSpan.FromDays(60) }));
        await LookUntilJudgedAsync();
        Assert.Matches("is not valid before", _log.Take()[^1]);
    }

    [Fact]
    public async Task Notices_of_a_mounted_secret_bring_its_new_pair_soon()
    {
        var secret = new ConfigMapVolume(_folder.Folder);
        var (first, second) = (_root.Issue("a.example"), _root.Issue("a.example"));
        // As cert-manager has it, in one file here since the volume holds one: the key is read from where the certificate is.
        secret.Write("tls.pem", first.Chain + first.Key);
        await using var store = new CertificateStore(TimeProvider.System, () => _log);
        var path = _folder.File("tls.pem");
        var tls = Load(store, new CertificateFiles(path, path));
        store.Start();

        secret.Write("tls.pem", second.Chain + second.Key);

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (tls.Choose(null).Leaf.SerialNumber != second.Serial)
            await Task.Delay(10, patience.Token);
    }

    private CertificateFiles Write(string name, TestCertificate certificate)
    {
        var (path, key) = _folder.Write(name, certificate);
        return new CertificateFiles(path, key);
    }

    private ListenerTls Load(params CertificateFiles[] certificates) => Load(_store, certificates);

    private static ListenerTls Load(CertificateStore store, params CertificateFiles[] certificates)
    {
        var tls = new ListenerTlsOptions { Certificates = certificates };
        var configuration = new GatewayConfiguration { Listeners = [new ListenerOptions { Name = "web", Address = new IPEndPoint(IPAddress.Loopback, 8443), Tls = tls }] };
        store.Load(configuration);
        store.Keep(configuration);
        return store.Of(tls);
    }

    private static GatewayConfiguration Backend(BackendTlsOptions tls) => new()
    {
        Listeners = [],
        Backends = [new BackendOptions { Name = "b", Endpoints = [new EndpointAddress("127.0.0.1", 1)], Tls = tls }],
    };

    private async Task LookLaterAsync()
    {
        _time.Advance(ConfigurationWatcher.Stillness);
        await _store.LookAsync(default);
    }

    private async Task LookUntilJudgedAsync()
    {
        await _store.LookAsync(default);
        await LookLaterAsync();
    }

    private sealed class Clock : TimeProvider
    {
        private TimeSpan _passed;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _passed.Ticks;

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + _passed;

        public void Advance(TimeSpan time) => _passed += time;
    }

    private sealed class Messages : ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public List<string> Take()
        {
            var lines = new List<string>();
            while (_lines.TryDequeue(out var line))
                lines.Add(line);
            return lines;
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue($"{logLevel} {formatter(state, exception)}");
    }
}
