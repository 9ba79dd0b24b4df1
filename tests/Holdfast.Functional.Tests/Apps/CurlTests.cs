using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Functional.Tests.Holding;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Apps;

/// <summary>curl and a Node server, over HTTP/1.1 in the clear, and HTTP/1.1 and HTTP/2 over TLS.</summary>
[Collection(AppParts.Collection)]
public sealed class CurlTests : IAsyncLifetime
{
    private const int Large = 200_000_000;
    private const string Plain = "http", Tls = "https", Http2 = "h2";
    private readonly AppCertificates _certificates = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
    private NodeScript _server = null!;
    private GatewayFixture _gateway = null!;

    public static TheoryData<string> Ways => [Plain, Tls, Http2];

    public async ValueTask InitializeAsync()
    {
        if (Requires.Tool("curl") is { } missing)
            Assert.Skip(missing);
        _server = await AppParts.StartServerAsync("pages-server.js", "a");
        _gateway = await GatewayFixture.StartAsync(new GatewaySetup
        {
            Endpoints = [_server.Port],
            Listeners = [_certificates.Listener("tls", "http/1.1"), _certificates.Listener("tls2", "h2, http/1.1")],
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
            await _gateway.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
        _certificates.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task One_connection_carries_many_requests(string way)
    {
        var curl = await CurlAsync(way, ["-v", "-w", "|%{http_version} %{num_connects}|", Url(way, "/hello"), Url(way, "/hello"), Url(way, "/nowhere"), Url(way, "/hello")]);
        var version = way == Http2 ? "2" : "1.1";
        Assert.Equal($"hello|{version} 1|hello|{version} 0|no such page|{version} 0|hello|{version} 0|", curl.Output);
        Assert.Contains("Re-using existing connection", curl.Errors, StringComparison.Ordinal);
        await _gateway.SettledAsync();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task The_endpoint_sees_one_kind_of_request_and_where_it_came_from(string way)
    {
        var curl = await CurlAsync(way, ["-H", "X-Mine: 1", "-H", "Cookie: a=1; b=2", "-A", "curl-test", Url(way, "/echo-head")]);
        using var seen = System.Text.Json.JsonDocument.Parse(curl.Output);
        string? Header(string name) => seen.RootElement.GetProperty("headers").TryGetProperty(name, out var value) ? value.GetString() : null;
        Assert.Equal(("GET", "1.1"), (seen.RootElement.GetProperty("method").GetString(), seen.RootElement.GetProperty("version").GetString()));
        Assert.Equal(("1", "a=1; b=2", "curl-test"), (Header("x-mine"), Header("cookie"), Header("user-agent")));
        Assert.Equal($"127.0.0.1:{Port(way)}", Header("host"));
        Assert.Equal("127.0.0.1", Header("x-forwarded-for"));
        Assert.Equal(way == Plain ? "http" : "https", Header("x-forwarded-proto"));
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_large_upload_comes_whole_by_length_and_in_chunks(string way)
    {
        var file = Path.Combine(_directory, "large");
        await using (var sparse = File.Create(file))
            sparse.SetLength(Large);
        var sum = Convert.ToHexStringLower(await HashAsync(file));
        var byLength = await CurlAsync(way, ["-X", "POST", "-T", file, Url(way, "/sum")]);
        Assert.Equal($"{Large} {sum} length", byLength.Output);

        // Its length unknown: chunks in HTTP/1.1, frames in HTTP/2.
        var inChunks = await CurlAsync(way, ["-X", "POST", "-T", "-", Url(way, "/sum")], file);
        Assert.Equal($"{Large} {sum} chunked", inChunks.Output);
        await _gateway.SettledAsync();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_large_download_comes_whole_with_and_without_a_length(string way)
    {
        foreach (var length in (string[])["yes", "no"])
        {
            var curl = await CurlAsync(way, ["-o", "/dev/null", "-w", "%{size_download} %{http_code}", Url(way, $"/bytes?n={Large}&length={length}")]);
            Assert.Equal($"{Large} 200", curl.Output);
        }

        await _gateway.SettledAsync();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task HEAD_204_and_trailers_pass(string way)
    {
        var head = await CurlAsync(way, ["-I", Url(way, "/bytes?n=12345"), Url(way, "/hello")]);
        Assert.Contains("content-length: 12345\r\n", head.Output, StringComparison.OrdinalIgnoreCase);
        var empty = await CurlAsync(way, ["-w", "%{http_code} %{size_download}", Url(way, "/empty")]);
        Assert.Equal("204 0", empty.Output);
        var trailers = await CurlAsync(way, ["-i", "-H", "TE: trailers", "-H", "Connection: TE", Url(way, "/trailers")]);
        Assert.Contains("\r\n\r\nbody", trailers.Output, StringComparison.Ordinal);
        Assert.Contains("x-sum: 42", trailers.Output, StringComparison.OrdinalIgnoreCase);
        await _gateway.SettledAsync();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task A_body_waits_for_100_and_is_not_sent_to_who_refuses_it(string way)
    {
        // Longer than the test may take: without the 100 it would fail.
        string[] patient = ["--expect100-timeout", "600", "-H", "Expect: 100-continue", "-v"];
        var taken = await CurlAsync(way, [.. patient, "--data-binary", "hello", Url(way, "/sum")]);
        Assert.StartsWith("5 ", taken.Output, StringComparison.Ordinal);
        if (way != Http2)
            Assert.Contains("< HTTP/1.1 100 Continue", taken.Errors, StringComparison.Ordinal);

        var file = Path.Combine(_directory, "some");
        await File.WriteAllBytesAsync(file, new byte[3_000_000], TestContext.Current.CancellationToken);
        var refused = await CurlAsync(way, [.. patient, "--data-binary", "@" + file, "-w", "|%{http_code} %{size_upload}", Url(way, "/refuse")]);
        Assert.Equal("too much|413 0", refused.Output);
        await _gateway.SettledAsync();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Events_come_one_by_one_and_leaving_ends_the_stream(string way)
    {
        using var stream = Start(way, ["-N", Url(way, "/events")]);
        for (var n = 0; n < 10; n++)
        {
            using var limit = new CancellationTokenSource(RawPeer.Patience);
            Assert.Equal($"data: {n}", await stream.StandardOutput.ReadLineAsync(limit.Token));
            Assert.Equal("", await stream.StandardOutput.ReadLineAsync(limit.Token));
            _ = await CurlAsync(way, [Url(way, $"/next?n={n + 1}")]);
        }

        stream.Kill();
        await _server.PrintsAsync("stream closed");
        await _gateway.SettledAsync();
    }

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Who_leaves_in_the_middle_is_cut_at_the_endpoint_too(string way)
    {
        using (var download = Start(way, ["--limit-rate", "1M", "-o", "/dev/null", Url(way, "/bytes?n=2000000000")]))
        {
            await _server.PrintsAsync("GET /bytes");
            download.Kill();
        }

        await _server.PrintsAsync("download cut");
        var file = Path.Combine(_directory, "large");
        await using (var sparse = File.Create(file))
            sparse.SetLength(Large);
        using (var upload = Start(way, ["--limit-rate", "1M", "-X", "POST", "-T", file, Url(way, "/sum")]))
        {
            await _server.PrintsAsync("POST /sum");
            upload.Kill();
        }

        await _server.PrintsAsync("cut after ");
        await Processes.UntilAsync(() => Outcomes("/bytes").Concat(Outcomes("/sum")).Count() == 2, "the access log had both requests");
        Assert.Equal(["client_gone", "client_gone"], Outcomes("/bytes").Concat(Outcomes("/sum")));
        Assert.Equal("hello", (await CurlAsync(way, [Url(way, "/hello")])).Output);
        await _gateway.SettledAsync();
    }

    [Fact]
    public async Task HTTP_2_in_the_clear_is_not_spoken_and_asking_for_it_does_no_harm()
    {
        // An upgrade to h2c is declined by not being answered; prior knowledge of it is an error.
        var upgrade = await CurlAsync(Plain, ["--http2", "-w", "|%{http_version}", Url(Plain, "/hello")]);
        Assert.Equal("hello|1.1", upgrade.Output);
        using var prior = Start(Plain, ["--http2-prior-knowledge", Url(Plain, "/hello")]);
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        await prior.WaitForExitAsync(limit.Token);
        Assert.NotEqual(0, prior.ExitCode);
        await _gateway.SettledAsync();
    }

    private IEnumerable<string?> Outcomes(string path) => _gateway.Log.All
        .Where(l => l.TryGetProperty("outcome", out _) && l.GetProperty("path").GetString()!.StartsWith(path, StringComparison.Ordinal)).Select(l => l.GetProperty("outcome").GetString());

    private static async Task<byte[]> HashAsync(string file)
    {
        await using var stream = File.OpenRead(file);
        return await SHA256.HashDataAsync(stream);
    }

    private int Port(string way) => _gateway.Host.Addresses[way switch { Plain => 0, Tls => 1, _ => 2 }].Port;

    private string Url(string way, string target) => string.Create(CultureInfo.InvariantCulture, $"{(way == Plain ? "http" : "https")}://127.0.0.1:{Port(way)}{target}");

    private Process Start(string way, IEnumerable<string> arguments, bool input = false)
    {
        string[] common = way == Plain ? ["-s", "-S"] : ["-s", "-S", "--cacert", _certificates.Authority, way == Http2 ? "--http2" : "--http1.1"];
        return Process.Start(new ProcessStartInfo(Requires.Find("curl")!, [.. common, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = input,
        })!;
    }

    private async Task<(string Output, string Errors)> CurlAsync(string way, string[] arguments, string? input = null)
    {
        using var limit = new CancellationTokenSource(2 * RawPeer.Patience);
        using var curl = Start(way, arguments, input is not null);
        var output = curl.StandardOutput.ReadToEndAsync(limit.Token);
        var errors = curl.StandardError.ReadToEndAsync(limit.Token);
        try
        {
            if (input is not null)
            {
                await using var file = File.OpenRead(input);
                await file.CopyToAsync(curl.StandardInput.BaseStream, limit.Token);
                curl.StandardInput.Close();
            }

            await curl.WaitForExitAsync(limit.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            curl.Kill();
            Assert.Fail($"curl {string.Join(' ', arguments)} did not end; it said: {await errors.WaitAsync(TimeSpan.FromSeconds(5), CancellationToken.None)}");
        }

        Assert.True(curl.ExitCode == 0, $"curl {string.Join(' ', arguments)} ended with {curl.ExitCode}: {await errors}");
        return (await output, await errors);
    }
}
