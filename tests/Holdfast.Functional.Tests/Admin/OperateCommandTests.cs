using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Holdfast.Cli;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Admin;

/// <summary><c>holdfast status</c>, <c>top</c> and <c>drain</c> on a real gateway.</summary>
public sealed class OperateCommandTests
{
    private const string Token = "sixteen-characters-or-more";

    [Fact]
    public async Task Status_tells_phase_endpoints_connections_and_why_the_last_ones_ended()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port] });
        using (var left = gateway.Connect())
            Assert.Equal(101, Upgrades.Status(left.Upgrade("/")));
        using var stays = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(stays.Upgrade("/")));
        var ran = await UntilAsync(["status", "--admin", gateway.Admin.ToString()], r => r.Output.Contains("downstream_eof", StringComparison.Ordinal));

        Assert.Equal((ExitCodes.Ok, ""), (ran.Code, ran.Error));
        Assert.Matches($"^gateway        running, version [0-9.]+, up .+, admin API http://{gateway.Admin}/\n", ran.Output);
        Assert.Contains($"listening      {gateway.Address} (web)\n", ran.Output, StringComparison.Ordinal);
        Assert.Contains("connections    2 of ", ran.Output, StringComparison.Ordinal);
        Assert.Matches($"backend test: 1 connection, 1 endpoint\n  endpoint +phase +health +connections.*\n  127.0.0.1:{echo.Port} +ready +healthy +1\n", ran.Output);
        Assert.Matches("the last 1 end, in .*\n  reason +side +ends\n  downstream_eof +downstream +1\n", ran.Output);
    }

    [Fact]
    public async Task Status_tells_a_configuration_that_is_not_in_force_with_its_faults()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup());
        var admin = gateway.Admin.ToString();
        var file = (string)JsonNode.Parse((await RunAsync("status", "--json", "--admin", admin)).Output)!["configuration"]!["file"]!;
        Assert.Matches($"configuration  in force for .*, from {file}\n", (await RunAsync("status", "--admin", admin)).Output);

        await File.WriteAllTextAsync(file, "listeners: 1\nroutes: 2\n");
        var ran = await UntilAsync(["status", "--admin", admin], r => r.Output.Contains("REJECTED", StringComparison.Ordinal));
        Assert.Equal(ExitCodes.Ok, ran.Code);
        Assert.Matches($"configuration  REJECTED for 2 faults, from {file}; what was applied last stays in force\n  {file}:1:12: listeners: .*\n  {file}:2:9: routes: .*\n\nbackend ", ran.Output);
    }

    [Fact]
    public async Task Status_as_JSON_is_the_gateways_own_answer()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup());
        var ran = await RunAsync("status", "--json", "--admin", $"http://{gateway.Admin}/");
        Assert.Equal(ExitCodes.Ok, ran.Code);
        var json = JsonNode.Parse(ran.Output)!;
        Assert.Equal("running", (string?)json["phase"]);
        Assert.Equal(["neighbour", "test"], json["backends"]!.AsArray().Select(b => (string?)b!["name"]));
    }

    [Fact]
    public async Task Drain_begins_and_ends_a_drain_by_either_spelling()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port], Backend = "drain: {delay: 1h, duration: 1h}" });
        using var client = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(client.Upgrade("/")));
        var (admin, endpoint) = (gateway.Admin.ToString(), $"127.0.0.1:{echo.Port}");

        var ran = await RunAsync("drain", $"test/{endpoint}", "--admin", admin);
        Assert.Equal(ExitCodes.Ok, ran.Code);
        Assert.Matches($"^test/{endpoint}: draining, 1 connection; admin: closes begin in (1 h 0 min|59 min [0-9]+ s)\n$", ran.Output);
        Assert.Matches($"{endpoint} +draining +healthy +1 +admin: closes begin in ", (await RunAsync("status", "--admin", admin)).Output);

        ran = await RunAsync("drain", "--cancel", "test", endpoint, "--admin", admin);
        Assert.Equal((ExitCodes.Ok, $"test/{endpoint}: ready, 1 connection\n"), (ran.Code, ran.Output));
    }

    [Fact]
    public async Task Drain_of_an_unknown_endpoint_tells_which_there_are()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [1, 2] });
        var ran = await RunAsync("drain", "test/127.0.0.1:3", "--admin", gateway.Admin.ToString());
        Assert.Equal((ExitCodes.Failed, ""), (ran.Code, ran.Output));
        Assert.Matches("^holdfast: there is no endpoint test/127.0.0.1:3; there are: neighbour/127.0.0.1:[0-9]+, test/127.0.0.1:1, test/127.0.0.1:2\n$", ran.Error);
    }

    [Fact]
    public async Task Drain_of_the_gateway_ends_it_in_order()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Shutdown = "delay: 0s, duration: 1s" });
        var ran = await RunAsync("drain", "--gateway", "--admin", gateway.Admin.ToString());
        Assert.Equal((ExitCodes.Ok, $"the gateway at http://{gateway.Admin}/ is draining\n"), (ran.Code, ran.Output));
        Assert.Equal(0, await gateway.Exited.WaitAsync(RawPeer.Patience));
    }

    [Fact]
    public async Task Without_its_token_a_guarded_gateway_tells_what_it_tells_everybody_and_which_option_is_missing()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { AdminMore = $"token: {Token}" });
        var admin = gateway.Admin.ToString();
        var file = Path.GetTempFileName();
        try
        {
            var ran = await RunAsync("status", "--admin", admin);
            Assert.Equal((ExitCodes.Failed, $"holdfast: http://{admin}/ needs the admin token: give its file with --token-file FILE\n"), (ran.Code, ran.Error));
            Assert.Contains("backend test: 0 connections, 1 endpoint", ran.Output, StringComparison.Ordinal);

            foreach (var command in (string[][])[["drain", "test/127.0.0.1:1"], ["drain", "--gateway"], ["top"]])
            {
                ran = await RunAsync([.. command, "--admin", admin]);
                Assert.Equal((ExitCodes.Failed, $"holdfast: http://{admin}/ needs the admin token: give its file with --token-file FILE\n"), (ran.Code, ran.Error));
            }

            await File.WriteAllTextAsync(file, Token + "\n");
            Assert.Equal((ExitCodes.Ok, ""), await CodeAndErrorAsync("status", "--admin", admin, "--token-file", file));
            await File.WriteAllTextAsync(file, "another-token-of-somebody");
            Assert.Equal((ExitCodes.Failed, $"holdfast: http://{admin}/ does not accept the token of --token-file\n"), await CodeAndErrorAsync("status", "--admin", admin, "--token-file", file));
            await File.WriteAllTextAsync(file, "two\nlines");
            Assert.Equal(
                (ExitCodes.BadUsage, $"holdfast: --token-file {file}: it holds no token: one line of visible characters is needed\n"), await CodeAndErrorAsync("status", "--admin", admin, "--token-file", file));
            Assert.Equal(
                (ExitCodes.BadUsage, $"holdfast: --token-file {file}-gone: there is no such file\n"), await CodeAndErrorAsync("status", "--admin", admin, "--token-file", file + "-gone"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("status")]
    [InlineData("top")]
    [InlineData("drain", "test/127.0.0.1:1")]
    [InlineData("drain", "--gateway")]
    public async Task A_gateway_that_is_not_there_is_told_with_its_address(params string[] command)
    {
        var admin = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Processes.FreePort()}");
        var (code, error) = await CodeAndErrorAsync([.. command, "--admin", admin]);
        Assert.Equal(ExitCodes.Failed, code);
        Assert.StartsWith($"holdfast: http://{admin}/ cannot be reached: ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_answers_without_being_a_gateway_is_told_apart()
    {
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Routes = ["path: {prefix: /none}, backend: test"] });

        // The listener instead of the admin API: plain HTTP that no endpoint answers.
        var (code, error) = await CodeAndErrorAsync("status", "--admin", gateway.Address.ToString());
        Assert.Equal((ExitCodes.Failed, $"holdfast: http://{gateway.Address}/ answered 502\n"), (code, error));
    }

    [Theory]
    [InlineData("an endpoint is needed", "drain")]
    [InlineData("an endpoint is needed", "drain", "chat")]
    [InlineData("an endpoint is needed", "drain", "chat/")]
    [InlineData("--gateway stands alone", "drain", "--gateway", "chat/10.0.0.1:80")]
    [InlineData("--gateway stands alone", "drain", "--gateway", "--cancel")]
    [InlineData("--admin 'ftp://gateway'", "status", "--admin", "ftp://gateway")]
    [InlineData("--admin 'http://u:p@gateway'", "top", "--admin", "http://u:p@gateway")]
    public void Bad_usage_is_told_before_anybody_is_asked(string beginning, params string[] words)
    {
        var errors = Program.Root().Parse(words).Errors;
        Assert.StartsWith(beginning, Assert.Single(errors).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Top_without_a_terminal_prints_lines_until_a_signal()
    {
        using var echo = new EchoEndpoint();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port] });
        var lines = new Lines();
        await using var top = ChildProcess.Start(
            new ChildSpec("dotnet", [Path.Combine(Processes.ToolDirectory, "holdfast.dll"), "top", "--admin", gateway.Admin.ToString()], new Dictionary<string, string>(StringComparer.Ordinal)),
            lines.Add, TimeProvider.System);
        await lines.FirstAsync(l => l.EndsWith($" test/127.0.0.1:{echo.Port} ready healthy: 0 connections, 0 new/s, 0 messages/s in, 0 out", StringComparison.Ordinal));
        using var client = gateway.Connect();
        Assert.Equal(101, Upgrades.Status(client.Upgrade("/")));
        await lines.FirstAsync(l => l.Contains($" test/127.0.0.1:{echo.Port} ready healthy: 1 connection, ", StringComparison.Ordinal));
        await lines.FirstAsync(l => l.Contains(" 2 connections, ", StringComparison.Ordinal));

        // It outlives its gateway, says so, and ends when it is told to.
        gateway.Signal("KILL");
        await lines.FirstAsync(l => l.Contains($"http://{gateway.Admin}/ cannot be reached: ", StringComparison.Ordinal));
        GatewayProcess.Send(top.Id, "INT");
        Assert.Equal(0, await top.Exited.WaitAsync(RawPeer.Patience));
    }

    private static async Task<Ran> UntilAsync(string[] words, Func<Ran, bool> holds)
    {
        using var limit = new CancellationTokenSource(RawPeer.Patience);
        while (true)
        {
            var ran = await RunAsync(words);
            if (holds(ran))
                return ran;
            Assert.False(limit.IsCancellationRequested, ran.ToString());
        }
    }

    private static async Task<(int Code, string Error)> CodeAndErrorAsync(params string[] words)
    {
        var ran = await RunAsync(words);
        return (ran.Code, ran.Error);
    }

    private static async Task<Ran> RunAsync(params string[] words)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var parsed = Program.Root().Parse(words);
        Assert.Empty(parsed.Errors);
        var code = await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, ProcessTerminationTimeout = null });
        return new Ran(code, output.ToString(), error.ToString());
    }

    private sealed record Ran(int Code, string Output, string Error);
}
