using System.Net;
using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

public class ConfigurationReaderTests
{
    [Fact]
    public void Every_key_reaches_its_record()
    {
        var configuration = Read("""
            listeners:
              - name: web
                address: "[::1]:8080"
                limits: {connections: 7}
                trustedProxies: [10.0.0.0/8, "fd00::/8"]
            admin: {address: 0.0.0.0:1234, token: 0123456789abcdef}
            routes:
              - hosts: [Chat.Example.com., "*.example.org"]
                path: {exact: /ws}
                headers: [{name: X-A, value: b}]
                query: [{name: q, value: ""}]
                methods: [GET, QUERY]
                timeouts: {request: 1m, connect: 2s, handshake: 3s}
                backends: [{name: a, weight: 0}, {name: b}]
              - backend: b
            backends:
              a:
                endpoints: [10.0.0.1:1, "[::2]:65535", Some_Name.local.:80]
                loadBalancing: powerOfTwoChoices
                slowStart: 0s
                keepAlive: {pingInterval: 0, pongTimeout: 250ms, idleTimeout: 1h}
                spill: 64KiB
              b: {endpoints: [127.0.0.1:9]}
            shutdown: {delay: 0s, duration: 5m}
            """);

        var listener = Assert.Single(configuration.Listeners);
        Assert.Equal(("web", new IPEndPoint(IPAddress.IPv6Loopback, 8080), 7), (listener.Name, listener.Address, listener.Limits.Connections));
        Assert.Equal(["10.0.0.0/8", "fd00::/8"], listener.TrustedProxies.Select(n => n.ToString()));
        Assert.Equal(new AdminOptions { Address = new(IPAddress.Any, 1234), Token = "0123456789abcdef" }, configuration.Admin);

        var route = configuration.Routes[0];
        Assert.Equal(["chat.example.com", "*.example.org"], route.Hosts);
        Assert.Equal(new PathMatch(PathMatchKind.Exact, "/ws"), route.Path);
        Assert.Equal([new NameValueMatch("X-A", "b")], route.Headers);
        Assert.Equal([new NameValueMatch("q", "")], route.Query);
        Assert.Equal(["GET", "QUERY"], route.Methods);
        Assert.Equal(new RouteTimeouts { Request = TimeSpan.FromMinutes(1), Connect = TimeSpan.FromSeconds(2), Handshake = TimeSpan.FromSeconds(3) }, route.Timeouts);
        Assert.Equal([new WeightedBackend("a", 0), new WeightedBackend("b")], route.Backends);
        Assert.Equal([new WeightedBackend("b")], configuration.Routes[1].Backends);

        var backend = configuration.Backends[0];
        Assert.Equal(["10.0.0.1:1", "[::2]:65535", "some_name.local.:80"], backend.Endpoints.Select(e => e.ToString()));
        Assert.Equal([true, true, false], backend.Endpoints.Select(e => e.Ip is not null));
        Assert.Equal((LoadBalancingPolicy.PowerOfTwoChoices, TimeSpan.Zero, 65536), (backend.LoadBalancing, backend.SlowStart, backend.Spill));
        Assert.Equal(new KeepAliveOptions { PingInterval = TimeSpan.Zero, PongTimeout = TimeSpan.FromMilliseconds(250), IdleTimeout = TimeSpan.FromHours(1) }, backend.KeepAlive);
        Assert.Equal(new ShutdownOptions { Delay = TimeSpan.Zero, Duration = TimeSpan.FromMinutes(5) }, configuration.Shutdown);
    }

    [Fact]
    public void Every_key_of_a_hold_reaches_its_record()
    {
        var configuration = Read("""
            listeners: [{name: web, address: 0.0.0.0:80}]
            backends:
              usual: {endpoints: [h:1]}
              feed:
                endpoints: [h:2]
                hold:
                  protocol: json
                  mode: makeFirst
                  overlap: 2s
                  quiet: 1s
                  quietMax: 1m
                  fence: 50ms
                  buffer: 4KiB
                  patience: 1h
                  ratePerSecond: 7
                  onServerError: rehome
                  json:
                    set:
                      - {match: {op: subscribe, data.v: 1, deep: true}, key: [data.channel, user], resume: since}
                      - {match: {op: ""}}
                    unset: [{match: {op: unsubscribe}, key: data.channel}]
                    replies: [{match: {type: ack}}]
                    sequence: {path: meta.seq, key: channel}
              short:
                endpoints: [h:3]
                hold: {protocol: json, json: {set: [{match: {a: b}}], sequence: seq}}
              graphql: {endpoints: [h:4], hold: {protocol: graphql-transport-ws}}
              opaque: {endpoints: [h:5], hold: {protocol: opaque}}
            bufferTotal: 3GiB
            """);

        Assert.Equal(3L << 30, configuration.BufferTotal);
        Assert.Equal(64L << 20, Read("listeners: [{name: web, address: 0.0.0.0:80}]").BufferTotal);
        Assert.Equal(
            [HoldProtocol.None, HoldProtocol.Json, HoldProtocol.Json, HoldProtocol.GraphqlTransportWs, HoldProtocol.Opaque],
            configuration.Backends.Select(b => b.Hold.Protocol));
        Assert.Equal(new HoldOptions(), configuration.Backends[0].Hold);

        var hold = configuration.Backends[1].Hold;
        Assert.Equal(
            new HoldOptions
            {
                Protocol = HoldProtocol.Json,
                Mode = HoldMode.MakeFirst,
                Overlap = TimeSpan.FromSeconds(2),
                Quiet = TimeSpan.FromSeconds(1),
                QuietMax = TimeSpan.FromMinutes(1),
                Fence = TimeSpan.FromMilliseconds(50),
                Buffer = 4096,
                Patience = TimeSpan.FromHours(1),
                RatePerSecond = 7,
                OnServerError = ServerErrorAction.Rehome,
                Json = hold.Json,
            },
            hold);
        var json = hold.Json!;
        Assert.Equal(new Dictionary<string, string> { ["op"] = "subscribe", ["data.v"] = "1", ["deep"] = "true" }, json.Set[0].Match);
        Assert.Equal(["data.channel", "user"], json.Set[0].Key);
        Assert.Equal(["since", null], json.Set.Select(r => r.Resume));
        Assert.Equal("", json.Set[1].Match["op"]);
        Assert.Empty(json.Set[1].Key);
        Assert.Equal(["data.channel"], Assert.Single(json.Unset).Key);
        Assert.Equal("ack", Assert.Single(json.Replies).Match["type"]);
        Assert.Equal("meta.seq", json.Sequence!.Path);
        Assert.Equal(["channel"], json.Sequence.Key);

        var shortly = configuration.Backends[2].Hold.Json!;
        Assert.Equal("seq", shortly.Sequence!.Path);
        Assert.Empty(shortly.Sequence.Key);
    }

    [Fact]
    public void Faults_inside_a_hold_have_their_places_and_are_told_once()
    {
        var result = ConfigurationReader.Read("""
            listeners: [{name: web, address: 0.0.0.0:80}]
            backends:
              feed:
                endpoints: [h:2]
                hold:
                  protocol: jsno
                  json:
                    set:
                      - match: {op: ~, data..x: 1}
                        key: [channel, "a."]
                      - 5
                      - {match: [], key: {}}
                    sequence:
                      path: ".seq"
                      key: ""
            """, "gw.yaml");
        Assert.Equal(
            [
                "gw.yaml:6:17: backends.feed.hold.protocol: 'jsno' is not a protocol to hold; write json",
                "gw.yaml:9:25: backends.feed.hold.json.set[0].match.op: has no value; give one or remove the key",
                "gw.yaml:11:13: backends.feed.hold.json.set[1]: must be a mapping, not the value '5'; write for example {match: {op: subscribe}, key: [channel]}",
                "gw.yaml:12:21: backends.feed.hold.json.set[2].match: must be a mapping, not a list; write for example {op: subscribe}",
                "gw.yaml:12:30: backends.feed.hold.json.set[2].key: must be a list, not a mapping; write for example [channel]",
            ],
            result.Faults.Select(f => f.ToString()));
    }

    [Fact]
    public void An_alias_can_stand_for_a_whole_value()
    {
        var configuration = Read("""
            listeners: [{name: web, address: 0.0.0.0:80}]
            backends:
              a: {endpoints: [h:1], keepAlive: &usual {pingInterval: 5s}}
              b: {endpoints: [h:2], keepAlive: *usual}
            """);
        Assert.All(configuration.Backends, b => Assert.Equal(TimeSpan.FromSeconds(5), b.KeepAlive.PingInterval));
    }

    [Fact]
    public void All_faults_are_told_at_once_in_the_files_order_with_their_places()
    {
        var result = ConfigurationReader.Read("""
            listners: []
            listeners:
              - name: web
                address: 8080
                hold: {}
                name: again
            routes:
              - path: {prefix: ws}
                backend: chta
            backends:
              chat:
                endpoints: [a:1, a:1]
                keepAlive: {pingInterval: 1.5s}
                user: {header: x}
            """, "gw.yaml");

        Assert.Null(result.Configuration);
        Assert.Equal(
            [
                "gw.yaml:1:1: listners: unknown key; did you mean `listeners`?",
                "gw.yaml:4:14: listeners[0].address: '8080' has no port from 0 to 65535; write for example 0.0.0.0:8080",
                "gw.yaml:5:5: listeners[0].hold: unknown key; known here: name, address, tls, proxyProtocol, limits, trustedProxies",
                "gw.yaml:6:5: listeners[0].name: is given twice; first in line 3",
                "gw.yaml:8:20: routes[0].path.prefix: 'ws' must start with '/'; write for example /ws",
                "gw.yaml:9:14: routes[0].backend: there is no backend 'chta'; did you mean 'chat'?",
                "gw.yaml:12:22: backends.chat.endpoints[1]: a:1 is already backends.chat.endpoints[0]; remove one",
                "gw.yaml:13:31: backends.chat.keepAlive.pingInterval: '1.5s' is not a duration up to 480h; write a whole number with ms, s, m or h, for example 30s",
                "gw.yaml:14:5: backends.chat.user: `user` is not supported by this version",
            ],
            result.Faults.Select(f => f.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing")]
    [InlineData("[]")]
    [InlineData("text")]
    [InlineData("{}")]
    [InlineData("listeners: []")]
    [InlineData("listeners: {}")]
    [InlineData("listeners:")]
    public void A_text_without_a_listener_is_one_fault(string text) => Assert.Single(ConfigurationReader.Read(text, "f").Faults);

    [Fact]
    public void A_value_that_could_not_be_read_is_complained_about_once()
    {
        var result = ConfigurationReader.Read("""
            listeners: [{name: [], address: x}, {name: {}, address: y}, 5]
            admin: {address: 0.0.0.0:1, token: []}
            routes: [{backend: []}, {path: {exact: /1}, backends: {}}, {path: {exact: /2}, backends: [{name: chat, weight: x}]}, 7, {path: 7, backend: chat}]
            backends: {chat: {endpoints: [x]}, b: 5, c: {endpoints: {}}, d: {endpoints: ["", ~]}}
            """, "f");

        Assert.Equal(
            ["listeners[0].name", "listeners[0].address", "listeners[1].name", "listeners[1].address", "listeners[2]", "admin.token",
             "routes[0].backend", "routes[1].backends", "routes[2].backends[0].weight", "routes[3]", "routes[4].path",
             "backends.chat.endpoints[0]", "backends.b", "backends.c.endpoints", "backends.d.endpoints[0]", "backends.d.endpoints[1]"],
            result.Faults.Select(f => f.Key));
    }

    [Fact]
    public void Faults_beyond_two_hundred_are_counted_not_listed()
    {
        var text = string.Join('\n', Enumerable.Range(0, 500).Select(i => $"nonsense{i}: 1"));
        var faults = ConfigurationReader.Read(text, "f").Faults;
        Assert.Equal(201, faults.Count);
        Assert.Equal("f: and at least 300 more faults", faults[^1].ToString());
    }

    [Fact]
    public void Thousands_of_broken_values_cost_no_more_than_thousands_of_good_ones()
    {
        // Comparing each with each would take minutes.
        var backends = string.Join('\n', Enumerable.Range(0, 40_000).Select(i => $" a{i}: 5"));
        var routes = string.Join('\n', Enumerable.Repeat("- {backend: zz}", 5_000));
        var faults = ConfigurationReader.Read($"backends:\n{backends}\nroutes:\n{routes}\n", "f").Faults;
        Assert.Equal(201, faults.Count);
    }

    [Fact]
    public void A_message_shows_no_control_characters_and_stays_short()
    {
        var result = ConfigurationReader.Read("listeners: [{name: \"a\\e[31m\\n" + new string('x', 5000) + "\", address: \"0.0.0.0:80\"}]", "f");
        var line = Assert.Single(result.Faults).ToString();
        Assert.DoesNotContain(line, char.IsControl);
        Assert.InRange(line.Length, 20, 300);
    }

    [Fact]
    public void A_token_is_never_shown()
    {
        const string Secret = "short-secret";
        var result = ConfigurationReader.Read($"listeners: [{{name: w, address: '0.0.0.0:80'}}]\nadmin: {{token: {Secret}}}", "f");
        Assert.DoesNotContain(Secret, Assert.Single(result.Faults).ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, new AdminOptions { Token = Secret }.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_cannot_be_read_is_one_clear_fault()
    {
        var folder = Directory.CreateTempSubdirectory("holdfast-");
        try
        {
            var file = Path.Combine(folder.FullName, "gw.yaml");
            Assert.Equal(file + ": there is no such file", Only(file));
            Assert.EndsWith("it is a directory", Only(folder.FullName), StringComparison.Ordinal);
            File.WriteAllBytes(file, [0x61, 0x3A, 0xFF, 0xFE]);
            Assert.EndsWith("not UTF-8 text", Only(file), StringComparison.Ordinal);
            File.WriteAllBytes(file, new byte[ConfigurationReader.MaxFileBytes + 1]);
            Assert.EndsWith("larger than 1 MiB", Only(file), StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        static string Only(string path) => Assert.Single(ConfigurationReader.ReadFile(path).Faults).ToString();
    }

    private static GatewayConfiguration Read(string text)
    {
        var result = ConfigurationReader.Read(text, "gw.yaml");
        Assert.Empty(result.Faults);
        return result.Configuration!;
    }
}
