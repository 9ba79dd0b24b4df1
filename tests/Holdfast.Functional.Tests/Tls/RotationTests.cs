using System.Collections.Concurrent;
using System.Diagnostics;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing.Tls;

namespace Holdfast.Functional.Tests.Tls;

/// <summary>Certificates that are replaced while clients come and go.</summary>
public sealed class RotationTests
{
    private const int Swaps = 20;
    private const int Open = 20;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Certificates_are_replaced_under_load_and_nobody_notices(bool mounted)
    {
        var volume = default(SecretVolume);
        await using var gateway = await TlsGateway.StartAsync(
            mounted ? "certificates: [{certificate: {folder}/tls.crt, key: {folder}/tls.key}]" : "",
            g =>
            {
                if (!mounted)
                    return;
                volume = new SecretVolume(g.Files.Folder);
                volume.Write(g.Root.Issue("a.example"));
            });
        var open = new List<TlsClient>();
        for (var i = 0; i < Open; i++)
            open.Add(await gateway.ConnectAsync());
        var first = open[0].Serial;
        using var stop = new CancellationTokenSource();
        var (faults, seen) = (new ConcurrentQueue<string>(), new ConcurrentDictionary<string, int>());
        var load = LoadAsync(gateway, faults, seen, stop.Token);

        for (var i = 0; i < Swaps; i++)
        {
            var next = gateway.Root.Issue(new TestRequest { Names = ["a.example"], Rsa = i % 2 == 0 });
            if (volume is null)
                gateway.Files.Write("a", next);
            else
                volume.Write(next);
            await Processes.UntilAsync(() => seen.ContainsKey(next.Serial) || !faults.IsEmpty, "the next certificate was shown; swap " + i);
            foreach (var client in open)
                Assert.Equal(200, await client.GetAsync(stop.Token));
        }

        await stop.CancelAsync();
        await load;
        Assert.Empty(faults);
        Assert.Equal(Swaps + 1, seen.Keys.Append(first).Distinct().Count());
        Assert.Equal(0, await gateway.MetricAsync("holdfast_tls_handshake_failures_total"));
        foreach (var client in open)
        {
            Assert.Equal(first, client.Serial);
            Assert.Equal(200, await client.GetAsync());
            client.Dispose();
        }
    }

    [Fact]
    public async Task A_pair_that_does_not_fit_is_not_shown()
    {
        await using var gateway = await TlsGateway.StartAsync();
        var log = new LogLines();
        gateway.Host.Runtime.Logger = log;
        using var open = await gateway.ConnectAsync();
        var (second, third) = (gateway.Root.Issue("a.example"), gateway.Root.Issue("a.example"));

        gateway.Files.Replace("a.crt", second.Chain);
        gateway.Files.Replace("a.key", third.Key);
        await Processes.UntilAsync(() => log.All.Any(l => l.Contains("does not fit the certificate", StringComparison.Ordinal)), "the log said what is wrong");
        using (var client = await gateway.ConnectAsync())
            Assert.Equal((200, open.Serial), (await client.GetAsync(), client.Serial));

        gateway.Files.Replace("a.crt", third.Chain);
        await Processes.UntilAsync(() => log.All.Any(l => l.Contains("replaced", StringComparison.Ordinal)), "the log said that it is replaced");
        using (var client = await gateway.ConnectAsync())
            Assert.Equal((200, third.Serial), (await client.GetAsync(), client.Serial));
        Assert.Equal(200, await open.GetAsync());
        Assert.All(log.All, l => Assert.DoesNotContain(third.Key.Split('\n')[1], l, StringComparison.Ordinal));
    }

    /// <summary>Fifty TLS handshakes a second, each with a request.</summary>
    private static async Task LoadAsync(TlsGateway gateway, ConcurrentQueue<string> faults, ConcurrentDictionary<string, int> seen, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        var running = new List<Task>();
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
                running.Add(OnceAsync());
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(running);
        }

        async Task OnceAsync()
        {
            try
            {
                using var client = await gateway.ConnectAsync();
                if (await client.GetAsync(CancellationToken.None) != 200)
                    faults.Enqueue("not 200");
                seen.AddOrUpdate(client.Serial, 1, static (_, n) => n + 1);
            }
            catch (Exception e)
            {
                faults.Enqueue(e.ToString());
            }
        }
    }

    /// <summary>A directory that changes as a mounted Secret of two files does (Kubernetes' pkg/volume/util/atomic_writer.go).</summary>
    private sealed class SecretVolume(string folder)
    {
        private int _version;

        public void Write(TestCertificate certificate)
        {
            var version = $"..2026_11_21_12_00_00.{++_version}";
            Directory.CreateDirectory(Path.Combine(folder, version));
            File.WriteAllText(Path.Combine(folder, version, "tls.crt"), certificate.Chain);
            File.WriteAllText(Path.Combine(folder, version, "tls.key"), certificate.Key);
            var (data, old) = (Path.Combine(folder, "..data"), new DirectoryInfo(Path.Combine(folder, "..data")).LinkTarget);
            Directory.CreateSymbolicLink(data + "_tmp", version);
            // The runtime's own move follows links.
            using (var move = Process.Start("mv", ["-T", data + "_tmp", data]))
                move.WaitForExit();
            foreach (var name in (string[])["tls.crt", "tls.key"])
            {
                if (new FileInfo(Path.Combine(folder, name)).LinkTarget is null)
                    File.CreateSymbolicLink(Path.Combine(folder, name), Path.Combine("..data", name));
            }

            if (old is not null)
                Directory.Delete(Path.Combine(folder, old), recursive: true);
        }
    }
}
