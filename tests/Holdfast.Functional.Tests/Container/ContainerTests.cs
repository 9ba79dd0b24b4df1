using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Holdfast.Testing;
using Holdfast.Testing.Manifests;

namespace Holdfast.Functional.Tests.Container;

/// <summary>The gateway's image, made in both ways, and run as the plain manifest runs it.</summary>
public sealed partial class ContainerTests(Images images) : IClassFixture<Images>
{
    private const string Token = "0123456789abcdef0123456789abcdef";

    private static readonly TimeSpan ExitPatience = TimeSpan.FromSeconds(30);

    /// <summary>Of the plain manifest, its ports replaced by free ones.</summary>
    private static string PlainConfiguration
    {
        get
        {
            var configMap = Manifest.OfRepository("deploy/plain/gateway.yaml").Single(m => m.Kind == "ConfigMap");
            return Replace(Replace(configMap.Text("data", "gateway.yaml"), "0.0.0.0:8080", "127.0.0.1:0"), "0.0.0.0:9090", "0.0.0.0:0");
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_relays_and_ends_in_order_as_a_numeric_user_on_a_read_only_root(bool madeBySdk)
    {
        Images.Require();
        var image = madeBySdk ? await images.OfSdkAsync() : await images.OfContainerfileAsync();
        using var echo = new EchoEndpoint();
        var endpoints = string.Create(CultureInfo.InvariantCulture, $"endpoints: [\"127.0.0.1:{echo.Port}\"]");
        var configuration = Replace(Replace(PlainConfiguration, "dns: {name: app, port: 8080}", endpoints), "delay: 10s", "delay: 1s");
        await using var container = await ContainerProcess.StartAsync(image, Replace(configuration, "duration: 60s", "duration: 1s"), Token);
        Assert.Equal("64198\t64198\t64198\t64198", container.Status("Uid"));
        Assert.Equal("64198\t64198\t64198\t64198", container.Status("Gid"));
        Assert.Equal("0000000000000000", container.Status("CapEff"));
        Assert.Equal("1", container.Status("NoNewPrivs"));
        Assert.EndsWith("\t1", container.Status("NSpid"), StringComparison.Ordinal);
        Assert.Equal(["/proc"], container.WritableMounts());
        Assert.False(File.Exists(Path.Combine(image.Root, "bin", "sh")));

        Assert.Equal(200, await container.GetAsync("/health/live"));
        Assert.Equal(200, await container.GetAsync("/health/ready"));
        Assert.Equal(200, await container.GetAsync("/metrics"));
        Assert.Equal(401, await container.GetAsync("/v1/backends"));
        Assert.Equal(200, await container.GetAsync("/v1/backends", Token));
        using var client = container.Connect();
        Assert.Equal(101, Upgrades.Status(client.Upgrade()));
        Echo(client, "before");

        container.Terminate();
        await container.Output.FirstAsync(l => l.Contains("Draining", StringComparison.Ordinal));
        Assert.Equal(503, await container.GetAsync("/health/ready"));
        Echo(client, "meanwhile");
        Assert.Equal(1012, client.ReceiveFrame().CloseCode);
        client.Send(Frames.CloseFrame(client: true, 1012));
        Assert.Empty(client.ReceiveToEnd());
        Assert.Equal(0, await container.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task It_asks_to_write_nowhere_and_is_ready_before_its_application_and_its_secret_exist()
    {
        Images.Require();
        if (Requires.Tool("strace") is { } missing)
            Assert.Skip(missing);
        var image = await images.OfContainerfileAsync();
        var log = Path.GetTempFileName();
        try
        {
            await using (var container = await ContainerProcess.StartAsync(
                image, Replace(Replace(PlainConfiguration, "delay: 10s", "delay: 0s"), "duration: 60s", "duration: 0s"), token: null,
                "strace", "--follow-forks", "-qq", "--trace=%file,bind", "--output", log))
            {
                Assert.Equal(200, await container.GetAsync("/health/ready"));
                Assert.Equal(401, await container.GetAsync("/v1/backends"));
                Assert.Equal(401, await container.GetAsync("/v1/backends", Token));
                using var client = container.Connect();
                Assert.Equal(503, Upgrades.Status(client.Upgrade()));
                container.Terminate();
                Assert.Equal(0, await container.Exited.WaitAsync(ExitPatience, TestContext.Current.CancellationToken));
            }

            // Before that, the mounts are made.
            var calls = (await File.ReadAllLinesAsync(log, TestContext.Current.CancellationToken))
                .SkipWhile(l => !l.Contains($"execve(\"{image.Configuration.Entrypoint}\"", StringComparison.Ordinal)).ToArray();
            Assert.Contains(calls, l => l.Contains("openat(", StringComparison.Ordinal));
            // Threads get their names there.
            Assert.DoesNotContain(calls.Where(l => !l.Contains("/proc/self/task/", StringComparison.Ordinal)), l => Write().IsMatch(l));
        }
        finally
        {
            File.Delete(log);
        }
    }

    [Fact]
    public async Task Both_ways_make_the_same_image()
    {
        Images.Require();
        var (followed, published) = (await images.OfContainerfileAsync(), await images.OfSdkAsync());
        Assert.Equivalent(followed.Configuration, published.Configuration, strict: true);
        Assert.Equal(followed.Application.Select(Path.GetFileName), published.Application.Select(Path.GetFileName));
        foreach (var image in (Image[])[followed, published])
        {
            // Neither the owner nor the group of any file.
            Assert.All(image.Application, f => Assert.True(new FileInfo(f).UnixFileMode.HasFlag(UnixFileMode.OtherRead), f));
            Assert.True(new FileInfo(image.Entrypoint).UnixFileMode.HasFlag(UnixFileMode.OtherExecute));
            // What the measurements were made with.
            var file = await File.ReadAllTextAsync(image.Entrypoint + ".runtimeconfig.json", TestContext.Current.CancellationToken);
            var settings = JsonNode.Parse(file)!["runtimeOptions"]!["configProperties"]!;
            Assert.False((bool)settings["System.Runtime.TieredCompilation.QuickJit"]!);
            Assert.False((bool)settings["System.Runtime.TieredPGO"]!);
            Assert.False((bool)settings["System.GC.Server"]!);
            Assert.Equal(4194304, (int)settings["System.GC.Gen0MaxBudget"]!);
        }
    }

    private static void Echo(RawPeer client, string text)
    {
        client.Send(Frames.FromClient(Frames.Text, System.Text.Encoding.ASCII.GetBytes(text)));
        Assert.Equal(text, System.Text.Encoding.ASCII.GetString(client.ReceiveFrame().Payload));
    }

    private static string Replace(string text, string what, string by)
    {
        Assert.Contains(what, text, StringComparison.Ordinal);
        return text.Replace(what, by, StringComparison.Ordinal);
    }

    /// <summary>A line of strace when something is to be written, or made.</summary>
    [GeneratedRegex(@"O_CREAT|O_WRONLY|O_RDWR|sun_path|EROFS|\b(creat|mkdir|mknod|unlink|rename|link|symlink|truncate|chmod|chown|utimens)(at)?2?\(")]
    private static partial Regex Write();
}
