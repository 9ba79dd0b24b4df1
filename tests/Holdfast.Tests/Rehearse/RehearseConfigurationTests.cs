using Holdfast.Api.Configuration;
using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Systems;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class RehearseConfigurationTests
{
    [Theory]
    [InlineData(RehearseProtocol.Opaque, HoldMode.BreakFirst, true, HoldProtocol.Opaque)]
    [InlineData(RehearseProtocol.Json, HoldMode.MakeFirst, true, HoldProtocol.Json)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, HoldMode.MakeFirst, true, HoldProtocol.GraphqlTransportWs)]
    [InlineData(RehearseProtocol.GraphqlTransportWs, HoldMode.BreakFirst, true, HoldProtocol.GraphqlTransportWs)]
    [InlineData(RehearseProtocol.Json, HoldMode.MakeFirst, false, HoldProtocol.None)]
    internal void The_gateways_configuration_is_one_and_holds_what_is_rehearsed(RehearseProtocol protocol, HoldMode mode, bool hold, HoldProtocol held)
    {
        var setting = new SystemSetting(protocol, mode, hold, TimeSpan.FromSeconds(2.5), 10, "/nowhere", _ => null, TimeProvider.System, new Random(1));
        var read = ConfigurationReader.Read(HoldfastConfiguration.Text(setting, 8081, 9091, ["127.0.0.1:21001", "127.0.0.1:21002"]), "test");
        Assert.Empty(read.Faults);
        var backend = Assert.Single(read.Configuration!.Backends);
        Assert.Equal(SystemSetting.Backend, backend.Name);
        Assert.Equal(held, backend.Hold.Protocol);
        Assert.Equal(2, backend.Endpoints.Count);
        Assert.Equal(TimeSpan.FromSeconds(2.5), backend.Drain.Duration);
        if (hold)
            Assert.Equal(mode, backend.Hold.Mode);
        Assert.Equal(held == HoldProtocol.Json, backend.Hold.Json is not null);
    }

    [Fact]
    public void What_the_gateway_calls_unknown_is_added_up_for_each_connection()
    {
        var log = new UnknownLog();
        foreach (var line in (string[])[
            "started", "{", "[]", """{"event":"handshake","path":"/rehearse/4","unknown":9}""", """{"event":"connection","path":"/other/4","unknown":9}""",
            """{"event":"connection","path":"/rehearse/4"}"""])
            log.Take(line);
        Assert.Null(log.Unknown);
        log.Take("""{"event":"connection","path":"/rehearse/4","unknown":2}""");
        log.Take("""{"event":"connection","path":"/rehearse/4","unknown":1}""");
        log.Take("""{"event":"connection","path":"/rehearse/5","unknown":0}""");
        Assert.Equal([(4, 3), (5, 0)], log.Unknown!.OrderBy(u => u.Key).Select(u => (u.Key, u.Value)));
    }

    [Fact]
    public void The_ends_of_some_connections_do_not_stand_for_those_of_others()
    {
        var log = new UnknownLog();
        var wanted = new Dictionary<int, int> { [4] = 2, [5] = 1 };
        foreach (var connection in (int[])[1_000_000, 4, 5, 5])
            log.Take($$"""{"event":"connection","path":"/rehearse/{{connection}}","unknown":0}""");
        Assert.False(log.Has(wanted));
        log.Take("""{"event":"connection","path":"/rehearse/4"}""");
        Assert.True(log.Has(wanted));
    }

    /// <summary>Who tunes a peer says where that is written.</summary>
    [Theory]
    [InlineData("rehearse.nginx.conf")]
    [InlineData("rehearse.haproxy.cfg")]
    public void Every_setting_of_a_peer_has_its_source(string file)
    {
        var built = PeerSystem.Template(file);
        Assert.Equal(Repository.Read("bench/peers/" + file), built);
        var source = false;
        foreach (var line in built.Split('\n').Select(l => l.Trim()).Where(l => l.Length > 0))
        {
            source = line.Contains("https://", StringComparison.Ordinal) || (source && line.Contains("same page", StringComparison.Ordinal));
            var isBlock = line.EndsWith('{') || line is "}" or "{{endpoints}}" or "global" or "defaults" or "frontend web" or "backend app";
            Assert.True(source || isBlock || line.StartsWith('#'), $"{file}: no source for: {line}");
            source |= isBlock;
        }
    }

    [Fact]
    public void Endpoints_that_leave_serve_only_when_all_do()
    {
        Assert.Equal(["b"], new PeerNews(["a", "b"], ["a"]).Serving);
        Assert.Equal(["a", "b"], new PeerNews(["a", "b"], ["a", "b"]).Serving);
        Assert.Equal(new PeerNews(["a", "b"], ["a"]), new PeerNews(["a", "b"], ["a"]));
        Assert.NotEqual(new PeerNews(["a", "b"], ["a"]), new PeerNews(["a", "b"], []));
    }
}
