using Holdfast.Api.Configuration;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.Hosting;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.EventLoop;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Draining;

/// <summary>Endpoints that leave and return: by configuration, by DNS answers, by the admin API, in any order.</summary>
public class EndpointLifeTests
{
    private readonly GatewayRuntime _runtime = new(TimeProvider.System, new LoopClock());

    [Fact]
    public void A_removed_endpoint_is_drained_takes_nothing_and_is_forgotten_when_empty()
    {
        Apply("a:1", "b:1");
        var (a, b) = (Chat.Find(Address("a:1"))!, Chat.Find(Address("b:1"))!);
        a.Reserve();
        Apply("b:1");
        Assert.Equal(EndpointPhase.Draining, a.Phase);
        Assert.Equal([a], Chat.Leaving.ToArray());
        Assert.Equal([DrainCause.Removed], _runtime.Drains.Find(a)!.Value.Causes);
        b.MarkDraining();
        Assert.Same(b, Chat.Reserve(new Random(1), 0, [], out _));     // Draining but listed: better than none.
        _runtime.ForgetGone();
        Assert.Equal([a], Chat.Leaving.ToArray());
        a.Release();
        _runtime.ForgetGone();
        Assert.Equal(EndpointPhase.Gone, a.Phase);
        Assert.Empty(Chat.Leaving.ToArray());
        Assert.Null(_runtime.Drains.Find(a));
    }

    [Fact]
    public void One_that_returns_in_time_is_the_same_endpoint_and_no_longer_drained()
    {
        Apply("a:1", "b:1");
        var a = Chat.Find(Address("a:1"))!;
        a.Reserve();
        Apply("b:1");
        Apply("b:1", "a:1");
        Assert.Same(a, Chat.Endpoints[1]);
        Assert.Equal(EndpointPhase.Ready, a.Phase);
        Assert.Empty(Chat.Leaving.ToArray());
        Assert.Null(_runtime.Drains.Find(a));
    }

    [Fact]
    public void One_that_returns_while_an_operator_drains_it_stays_drained()
    {
        Apply("a:1", "b:1");
        var a = Chat.Find(Address("a:1"))!;
        _ = _runtime.Drains.Begin(Chat, a, DrainCause.Admin);
        Apply("b:1");
        Apply("b:1", "a:1");
        Assert.Equal(EndpointPhase.Draining, a.Phase);
        Assert.Equal([DrainCause.Admin], _runtime.Drains.Find(a)!.Value.Causes);
    }

    [Fact]
    public void A_removed_backend_is_known_until_its_endpoints_are_gone()
    {
        Apply("a:1");
        var chat = Chat;
        var a = chat.Find(Address("a:1"))!;
        a.Reserve();
        _runtime.Apply(new GatewayConfiguration { Listeners = [] });
        Assert.Empty(_runtime.Backends);
        Assert.Equal([chat], _runtime.KnownBackends);
        Assert.Null(chat.Reserve(new Random(1), 0, [], out _));
        Apply("a:1");
        Assert.Same(chat, Chat);
        Assert.Equal(EndpointPhase.Ready, a.Phase);
        _runtime.Apply(new GatewayConfiguration { Listeners = [] });
        a.Release();
        _runtime.ForgetGone();
        Assert.Empty(_runtime.KnownBackends);
    }

    [Fact]
    public void An_address_missing_from_DNS_has_its_grace_and_a_failed_check_ends_it()
    {
        ApplyDns("chat.svc");
        _runtime.Discover(Chat, [Address("10.0.0.1:80"), Address("10.0.0.2:80")]);
        var one = Chat.Find(Address("10.0.0.1:80"))!;
        one.Reserve();
        _runtime.Discover(Chat, [Address("10.0.0.2:80")]);
        Assert.Equal(EndpointPhase.Draining, one.Phase);
        Assert.InRange(_runtime.Drains.Find(one)!.Value.StartsInMs, 25_000, 30_000);
        _ = _runtime.Drains.Begin(Chat, one, DrainCause.FailedCheck);
        Assert.InRange(_runtime.Drains.Find(one)!.Value.StartsInMs, -5_000, 0);
        _runtime.Drains.Cancel(Chat, one, DrainCause.FailedCheck);
        Assert.InRange(_runtime.Drains.Find(one)!.Value.StartsInMs, 20_000, 30_000);
        _runtime.Discover(Chat, [Address("10.0.0.2:80"), Address("10.0.0.1:80")]);
        Assert.Equal(EndpointPhase.Ready, one.Phase);
    }

    [Fact]
    public void What_was_looked_up_stays_when_the_configuration_changes_elsewhere()
    {
        ApplyDns("chat.svc");
        _runtime.Discover(Chat, [Address("10.0.0.1:80"), Address("10.0.0.1:80")]);
        var one = Assert.Single(Chat.Endpoints.ToArray());
        ApplyDns("chat.svc", drain: new DrainOptions { CloseCode = 4000 });
        Assert.Equal([one], Chat.Endpoints.ToArray());
        ApplyDns("other.svc");
        Assert.Empty(Chat.Endpoints.ToArray());
        Assert.Equal([DrainCause.Removed], _runtime.Drains.Find(one)!.Value.Causes);
    }

    [Fact]
    public void An_answer_for_a_backend_that_is_no_longer_configured_changes_nothing()
    {
        ApplyDns("chat.svc");
        var chat = Chat;
        _runtime.Apply(new GatewayConfiguration { Listeners = [] });
        _runtime.Discover(chat, [Address("10.0.0.1:80")]);
        Assert.Empty(chat.Endpoints.ToArray());
        Apply("a:1");
        _runtime.Discover(Chat, [Address("10.0.0.1:80")]);
        Assert.Equal("a:1", Assert.Single(Chat.Endpoints.ToArray()).ToString());
    }

    private BackendState Chat => _runtime.Backends.Single(b => b.Name == "chat");

    private static EndpointAddress Address(string text) => new(text.Split(':')[0], int.Parse(text.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture));

    private void Apply(params string[] endpoints) => _runtime.Apply(new GatewayConfiguration
    {
        Listeners = [],
        Backends = [new BackendOptions { Name = "chat", Endpoints = [.. endpoints.Select(Address)] }],
    });

    private void ApplyDns(string name, DrainOptions? drain = null) => _runtime.Apply(new GatewayConfiguration
    {
        Listeners = [],
        Backends = [new BackendOptions { Name = "chat", Endpoints = [], Dns = new DnsOptions { Name = name, Port = 80 }, Drain = drain ?? new DrainOptions() }],
    });
}
