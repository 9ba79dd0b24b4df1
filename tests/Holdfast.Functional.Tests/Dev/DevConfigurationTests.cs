using Holdfast.Api.Configuration;
using Holdfast.Cli;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>What the gateway of <c>holdfast dev</c> reads, with and without a configuration of the user's.</summary>
public sealed class DevConfigurationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Without_one_everything_is_routed_to_the_replicas()
    {
        var configuration = DevConfiguration.Read(Options());
        var read = Read(configuration.Text(["127.0.0.1:5001", "127.0.0.1:5002"]));

        Assert.Equal(["127.0.0.1:8081"], read.Listeners.Select(l => l.Address.ToString()));
        Assert.Equal("127.0.0.1:9091", read.Admin.Address.ToString());
        var route = Assert.Single(read.Routes);
        Assert.Equal("app", Assert.Single(route.Backends).Name);
        var backend = Assert.Single(read.Backends);
        Assert.Equal(["127.0.0.1:5001", "127.0.0.1:5002"], backend.Endpoints.Select(e => e.ToString()));
        Assert.Equal(TimeSpan.FromSeconds(5), backend.Drain.Duration);
        Assert.Equal((TimeSpan.Zero, TimeSpan.Zero), (read.Shutdown.Delay, read.Shutdown.Duration));
    }

    [Theory]
    [InlineData(null, HoldProtocol.None, HoldMode.BreakFirst)]
    [InlineData("--hold none", HoldProtocol.None, HoldMode.BreakFirst)]
    [InlineData("--hold opaque", HoldProtocol.Opaque, HoldMode.BreakFirst)]
    [InlineData("--hold opaque --mode breakFirst", HoldProtocol.Opaque, HoldMode.BreakFirst)]
    [InlineData("--mode makeFirst --hold graphql-transport-ws", HoldProtocol.GraphqlTransportWs, HoldMode.MakeFirst)]
    public void A_hold_that_was_asked_for_is_the_replicas_backends(string? arguments, HoldProtocol protocol, HoldMode mode)
    {
        var parsed = Program.Root().Parse("dev " + arguments);
        Assert.Empty(parsed.Errors);
        var (hold, how) = (parsed.GetValue<string?>("--hold"), parsed.GetValue<string?>("--mode"));
        var configuration = DevConfiguration.Read(Options() with { Hold = hold is null ? null : new DevHold(hold, how ?? DevHold.BreakFirst) });
        var read = Assert.Single(Read(configuration.Text(["127.0.0.1:5001"])).Backends).Hold;
        Assert.Equal((protocol, mode), (read.Protocol, read.Mode));
    }

    [Theory]
    [InlineData("--hold json", "--hold 'json': json needs rules that tell its messages apart; write them into a file's `hold: {protocol: json, json: {set: …}}` and use --config FILE")]
    [InlineData("--hold mqtt", "--hold 'mqtt' is not supported by this version; write for example opaque")]
    [InlineData("--hold graphql", "--hold 'graphql': opaque, graphql-transport-ws or none is needed")]
    [InlineData("--hold opaque --mode both", "--mode 'both': breakFirst or makeFirst is needed")]
    [InlineData("--hold opaque --mode makeFirst", "--mode 'makeFirst': with --hold opaque there is nothing to overlap; write breakFirst")]
    [InlineData("--mode breakFirst", "--mode 'breakFirst': without --hold there is nothing to replace endpoints for; write for example --hold opaque")]
    [InlineData("--hold opaque --config gateway.yaml", "--hold 'opaque': --config says itself how its backends are held; write `hold: {protocol: opaque}` into the backend there")]
    public void A_bad_hold_is_one_error_of_usage(string arguments, string error) =>
        Assert.Equal(error, Assert.Single(Program.Root().Parse("dev " + arguments).Errors).Message);

    [Fact]
    public void A_replica_lives_until_its_drain_is_over_and_a_late_gateway_is_not_waited_for()
    {
        var configuration = DevConfiguration.Read(Options());
        Assert.Equal(new EndTimes(TimeSpan.FromSeconds(7), TimeSpan.FromSeconds(11)), configuration.ReplicaEnds(late: false));
        Assert.Equal(new EndTimes(TimeSpan.Zero, TimeSpan.FromSeconds(4)), configuration.ReplicaEnds(late: true));
    }

    [Fact]
    public void A_file_gives_routes_and_backends_and_dev_the_rest()
    {
        var file = Write("""
            listeners: [{name: public, address: "0.0.0.0:80"}]
            admin: {address: "0.0.0.0:9090", token: sixteen-characters-or-more}
            routes:
              - {path: {exact: /prices}, backend: prices}
              - {hosts: [chat.example.com], backend: app}
            backends:
              prices: &settings
                endpoints: ["10.0.0.9:80"]
                keepAlive: {pingInterval: 1s}
                drain: {delay: 1s, duration: 2s}
              app: *settings
            shutdown: {delay: 3s, duration: 4s}
            """);
        var configuration = DevConfiguration.Read(Options(file));
        var read = Read(configuration.Text(["127.0.0.1:5001"]));

        Assert.Equal(["dev 127.0.0.1:8081"], read.Listeners.Select(l => l.Name + " " + l.Address));
        Assert.Equal(("127.0.0.1:9091", null), (read.Admin.Address.ToString(), read.Admin.Token));
        Assert.Equal(["prices", "app"], read.Routes.Select(r => r.Backends[0].Name));
        Assert.Equal(["10.0.0.9:80"], read.Backends.Single(b => b.Name == "prices").Endpoints.Select(e => e.ToString()));
        var app = read.Backends.Single(b => b.Name == "app");
        Assert.Equal(["127.0.0.1:5001"], app.Endpoints.Select(e => e.ToString()));
        Assert.Equal(TimeSpan.FromSeconds(1), app.KeepAlive.PingInterval);
        Assert.Equal(TimeSpan.Zero, read.Shutdown.Duration);
        Assert.Equal(TimeSpan.FromSeconds(5), configuration.ReplicaEnds(late: false).PreStop);

        // Asked again, with others: nothing of the first is left.
        Assert.Equal(["127.0.0.1:5002"], Read(configuration.Text(["127.0.0.1:5002"])).Backends.Single(b => b.Name == "app").Endpoints.Select(e => e.ToString()));
    }

    [Fact]
    public void The_only_backend_is_the_replicas_whatever_its_name_and_however_it_found_its_endpoints()
    {
        var file = Write("""
            listeners: [{name: web, address: "127.0.0.1:0"}]
            routes: [{path: {prefix: /ws}, backend: chat}]
            backends:
              chat:
                dns: {name: chat.default.svc, port: 8080}
            """);
        var configuration = DevConfiguration.Read(Options(file));
        Assert.Equal("chat", configuration.Backend);
        var backend = Assert.Single(Read(configuration.Text(["127.0.0.1:5001"])).Backends);
        Assert.Equal(["127.0.0.1:5001"], backend.Endpoints.Select(e => e.ToString()));
        Assert.Null(backend.Dns);
    }

    [Fact]
    public void Faults_of_a_file_are_told_all_at_once_and_so_is_a_missing_backend()
    {
        var faulty = Write("listeners: [{name: web, address: nowhere}]\nroutes: [{backend: gone}]\n");
        Assert.Equal(2, Assert.Throws<DevConfigurationException>(() => DevConfiguration.Read(Options(faulty))).Faults.Count);

        var many = Write("""
            listeners: [{name: web, address: "127.0.0.1:0"}]
            backends: {one: {endpoints: ["10.0.0.1:80"]}, two: {endpoints: ["10.0.0.2:80"]}}
            """);
        var fault = Assert.Single(Assert.Throws<DevConfigurationException>(() => DevConfiguration.Read(Options(many))).Faults);
        Assert.Equal($"{many}: backends: there are 2 and none is named 'app': the replicas become the endpoints of the one so named, or of the only one", fault);

        var missing = Assert.Throws<DevConfigurationException>(() => DevConfiguration.Read(Options(Path.Combine(_directory, "no-such"))));
        Assert.EndsWith("there is no such file", Assert.Single(missing.Faults), StringComparison.Ordinal);
    }

    private static GatewayConfiguration Read(string text)
    {
        var read = ConfigurationReader.Read(text, "written");
        Assert.True(read.Configuration is not null, string.Join('\n', read.Faults) + '\n' + text);
        return read.Configuration!;
    }

    private static DevOptions Options(string? file = null) => new(null, 2, 8081, 9091, null, ConfigFile: file);

    private string Write(string text)
    {
        var file = Path.Combine(_directory, Guid.NewGuid().ToString("N") + ".yaml");
        File.WriteAllText(file, text);
        return file;
    }
}
