using System.Globalization;
using Holdfast.Cli;
using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Reporting;
using Holdfast.Functional.Tests.Dev;

namespace Holdfast.Functional.Tests.Rehearse;

/// <summary>Real rehearsals, small ones: first of all the instrument itself is under test.</summary>
[Collection(NodeSamples.Collection)]
public sealed class RehearseCommandTests
{
    /// <summary>A gateway that holds nothing disconnects everybody in a roll, and that is what has to be reported.</summary>
    [Theory]
    [InlineData("opaque")]
    [InlineData("graphql-transport-ws", "--late")]
    public async Task Without_hold_every_disconnect_is_reported(string protocol, params string[] more)
    {
        await NodeSamples.RequireAsync(protocol);
        var (exit, results) = await RehearseProcess.RunAsync(["--protocol", protocol, "--connections", "20", "--replicas", "2", "--rolls", "1", "--drain", "1", "--no-hold", .. more]);
        var result = Assert.Single(results);
        AssertMeasured(result, protocol);
        Assert.Equal(ExitCodes.FaultsFound, exit);
        Assert.True(result.Disconnects >= 20, $"{result.Disconnects} disconnects");
        Assert.Contains(result.Broken, b => b.Promise == "nobody is disconnected" && b.Times == result.Disconnects);
    }

    [Theory]
    [InlineData("json", "--late")]
    [InlineData("graphql-transport-ws")]
    public async Task With_hold_nobody_notices(string protocol, params string[] more)
    {
        await NodeSamples.RequireAsync(protocol);
        var (exit, results) = await RehearseProcess.RunAsync(["--protocol", protocol, "--connections", "20", "--replicas", "2", "--rolls", "1", .. more]);
        var result = Assert.Single(results);
        AssertMeasured(result, protocol);
        Assert.True(exit == ExitCodes.Ok, string.Join("; ", result.Broken));
        Assert.Equal((0, 0, 0), (result.Disconnects, result.Duplicated, result.Reordered));
        Assert.NotNull(result.Unknown);
    }

    [Fact]
    public async Task Peers_are_measured_in_the_same_run()
    {
        foreach (var peer in (string[])["nginx", "haproxy"])
        {
            if (Testing.Requires.Tool(peer) is { } missing)
                Assert.Skip(missing);
        }

        var (exit, results) = await RehearseProcess.RunAsync("--connections", "20", "--replicas", "2", "--rolls", "1", "--against", "nginx,haproxy");
        Assert.Equal(["holdfast", "nginx", "haproxy"], results.Select(r => r.System));
        Assert.All(results, r => AssertMeasured(r, "opaque"));
        Assert.True(exit == ExitCodes.Ok, string.Join("; ", results[0].Broken));
        Assert.Equal(0, results[0].Disconnects);
        foreach (var peer in results.Skip(1))
        {
            Assert.True(peer.Disconnects >= 20, $"{peer.Disconnects} disconnects");
            Assert.Equal((null, 0), (peer.Unknown, peer.Broken.Count));
        }
    }

    [Fact]
    public async Task Planted_faults_are_found_alone()
    {
        var (exit, results) = await RehearseProcess.RunAsync("--protocol", "json", "--replicas", "2", "--planted-only");
        var result = Assert.Single(results);
        Assert.True(exit == ExitCodes.Ok, string.Join("; ", [.. result.Planted.Missed, .. result.Planted.Unplanted]));
        Assert.Equal((12, 12, true), (result.Planted.Planted, result.Planted.Found, result.Planted.Exact));
    }

    [Fact]
    public async Task A_peer_that_is_not_installed_fails_and_says_so()
    {
        using StringWriter output = new(CultureInfo.InvariantCulture), progress = new(CultureInfo.InvariantCulture);
        var session = new RehearseSession(
            new RehearseOptions { PlantedOnly = true, Replicas = 2, Hold = false, Against = ["nginx", "haproxy"] },
            ["dotnet", Path.Combine(Processes.ToolDirectory, "holdfast.dll")], _ => null, json: false, output, progress, TimeProvider.System, new Random());
        Assert.Equal(ExitCodes.FaultsFound, await session.RunAsync(CancellationToken.None));
        foreach (var peer in (string[])["nginx", "haproxy"])
        {
            Assert.Contains($"{peer}, opaque: failed: {peer} is not installed (Debian package {peer})", output.ToString(), StringComparison.Ordinal);
            Assert.Contains($"{peer}: failed: {peer} is not installed", progress.ToString(), StringComparison.Ordinal);
        }

        Assert.Contains("holdfast: planted 12 faults, found exactly these", progress.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task A_signal_leaves_nothing(string signal)
    {
        var keep = Path.Combine(Path.GetTempPath(), "holdfast-test-" + Guid.NewGuid().ToString("N"));
        try
        {
            await using var process = RehearseProcess.Start("--connections", "10", "--replicas", "2", "--no-hold", "--keep", keep);
            var journals = Path.Combine(keep, "holdfast-opaque", "journals");
            await Processes.UntilAsync(() => Directory.Exists(journals) && Directory.GetFiles(journals, "*.journal").Any(f => new FileInfo(f).Length > 0), "a replica has read something");
            var replicas = Directory.GetFiles(journals, "*.journal").Select(f => int.Parse(Path.GetFileName(f).Split('.')[1], CultureInfo.InvariantCulture)).ToList();
            await process.SignalAsync(signal);
            var (exit, output, errors) = await process.EndAsync();
            Assert.Equal(ExitCodes.Failed, exit);
            Assert.Empty(output);
            Assert.Contains("stopped; there is no result", errors, StringComparison.Ordinal);
            Assert.DoesNotContain(replicas, Processes.IsAlive);
        }
        finally
        {
            if (Directory.Exists(keep))
                Directory.Delete(keep, recursive: true);
        }
    }

    /// <summary>Whatever a system does, the run itself has shown something.</summary>
    private static void AssertMeasured(SystemResult result, string protocol)
    {
        Assert.Equal((protocol, 20, 1, 2), (result.Protocol, result.Connections, result.Rolls, result.Replicas));
        Assert.Empty(result.Invalid);
        Assert.True(result.Planted.Exact, string.Join("; ", [.. result.Planted.Missed, .. result.Planted.Unplanted]));
        Assert.True(result.Sent >= 20 * 5, $"{result.Sent} messages");
        Assert.True(result.Rehomes >= 20, $"{result.Rehomes} re-homes");
        Assert.True(result.StallP50Ms > 0);
    }
}
