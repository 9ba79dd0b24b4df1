using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

public sealed class ReplicaCommandTests
{
    [Theory]
    [InlineData("node server.js", "exec node server.js")]
    [InlineData("  npm start ", "exec npm start")]
    [InlineData("node server.js --name \"a b\" > log.txt", "exec node server.js --name \"a b\" > log.txt")]
    [InlineData("cd app && node server.js", "trap : TERM\ncd app && node server.js")]
    [InlineData("A=1 node server.js", "trap : TERM\nA=1 node server.js")]
    [InlineData("cd app", "trap : TERM\ncd app")]
    public void A_command_that_needs_no_shell_replaces_it(string command, string script) => Assert.Equal(script, ReplicaCommand.ShellScript(command));

    [Theory]
    [InlineData("sh -c 'trap \"echo drained; exit 0\" TERM; echo up; while :; do sleep 0.05; done'")]
    [InlineData("cd / && sh -c 'trap \"echo drained; exit 0\" TERM; echo up; while :; do sleep 0.05; done' && cd /")]
    public async Task An_application_can_end_in_order_after_SIGTERM(string app)
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(ReplicaCommand.ForApp(app).For("replica-1", 5001), lines.Add, TimeProvider.System);
        await lines.FirstAsync(l => l == "up");

        child.Terminate();

        Assert.Equal(0, await child.Exited);
        Assert.Contains("drained", lines.All);
    }

    [Fact]
    public async Task An_application_gets_its_port_twice_and_its_name()
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(
            ReplicaCommand.ForApp("echo $WEBSOCKET_PORT $PORT $HOLDFAST_REPLICA").For("replica-3", 5003), lines.Add, TimeProvider.System);

        Assert.Equal(0, await child.Exited);
        Assert.Equal(["5003 5003 replica-3"], lines.All);
    }

    [Fact]
    public void A_missing_Showcase_is_named() =>
        Assert.Contains("--app", Assert.Throws<FileNotFoundException>(() => ReplicaCommand.ForShowcase("/nowhere", "dotnet")).Message, StringComparison.Ordinal);
}
