using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

/// <summary>One wrong thing in a good configuration gives exactly one fault, at its key, with a good value.</summary>
public class ValidationTests
{
    private const string GoodListener = "{name: web, address: '0.0.0.0:8080'}";
    private const string GoodBackend = "{endpoints: ['127.0.0.1:9001']}";

    [Theory]
    [InlineData("{name: 'a b', address: '0.0.0.0:1'}", "listeners[1].name", "'a b' is not a name")]
    [InlineData("{name: -a, address: '0.0.0.0:1'}", "listeners[1].name", "for example web")]
    [InlineData("{name: web, address: '0.0.0.0:1'}", "listeners[1].name", "taken by listeners[0]")]
    [InlineData("{name: b, address: '0.0.0.0:8080'}", "listeners[1].address", "collides with listeners[0]")]
    [InlineData("{name: b, address: '127.0.0.1:8080'}", "listeners[1].address", "collides with listeners[0]")]
    [InlineData("{name: b, address: '0.0.0.0:9090'}", "listeners[1].address", "collides with admin.address")]
    [InlineData("{name: b, address: '0.0.0.0:65536'}", "listeners[1].address", "no port from 0 to 65535")]
    [InlineData("{name: b, address: '::1:80'}", "listeners[1].address", "[::]:8080")]
    [InlineData("{name: b, address: '[::1:80'}", "listeners[1].address", "is not an address and port")]
    [InlineData("{name: b, address: '127.1:80'}", "listeners[1].address", "is not an IP address")]
    [InlineData("{name: b, address: '010.0.0.1:80'}", "listeners[1].address", "is not an IP address")]
    [InlineData("{name: b, address: ':80'}", "listeners[1].address", "0.0.0.0:8080")]
    [InlineData("{name: b, address: '0.0.0.0:1', limits: {connections: -1}}", "listeners[1].limits.connections", "'-1' is not a whole number")]
    [InlineData("{name: b, address: '0.0.0.0:1', trustedProxies: [10.0.0.1]}", "listeners[1].trustedProxies[0]", "write 10.0.0.1/32")]
    [InlineData("{name: b, address: '0.0.0.0:1', trustedProxies: [10.0.0.1/8]}", "listeners[1].trustedProxies[0]", "write 10.0.0.0/8")]
    [InlineData("{name: b, address: '0.0.0.0:1', trustedProxies: ['fd00::1/8']}", "listeners[1].trustedProxies[0]", "write fd00::/8")]
    [InlineData("{name: b, address: '0.0.0.0:1', trustedProxies: [10.0.0.0/33]}", "listeners[1].trustedProxies[0]", "from 0 to 32")]
    public void Listeners(string listener, string key, string message) => Expect($"listeners: [{GoodListener}, {listener}]", key, message);

    [Theory]
    [InlineData("{address: '0.0.0.0:9090'}", "admin.address", "a token or tokenFile is required")]
    [InlineData("{address: '[::]:9090'}", "admin.address", "a token or tokenFile is required")]
    [InlineData("{token: 0123456789abcde}", "admin.token", "has 15 characters; at least 16")]
    [InlineData("{token: '0123456789 abcdef'}", "admin.token", "visible ASCII")]
    [InlineData("{token: 0123456789abcdef, tokenFile: x}", "admin.tokenFile", "exclude each other")]
    [InlineData("{tokenFile: ''}", "admin.tokenFile", "must not be empty")]
    [InlineData("{token: }", "admin.token", "has no value")]
    public void Admin(string admin, string key, string message) => Expect($"listeners: [{GoodListener}]\nadmin: {admin}", key, message);

    [Theory]
    [InlineData("{}", "routes[0].backend", "is required")]
    [InlineData("{backend: chat, backends: [{name: chat}]}", "routes[0].backends", "either backend or backends")]
    [InlineData("{backends: []}", "routes[0].backends", "at least one backend")]
    [InlineData("{backends: [{name: chat, weight: 0}]}", "routes[0].backends", "every weight is 0")]
    [InlineData("{backends: [{name: chat, weight: 1000001}]}", "routes[0].backends[0].weight", "from 0 to 1000000")]
    [InlineData("{backends: [{name: chat}, {name: chat}]}", "routes[0].backends[1].name", "listed twice")]
    [InlineData("{backends: [{name: other}]}", "routes[0].backends[0].name", "there is no backend 'other'")]
    [InlineData("{backends: [{weight: 1}]}", "routes[0].backends[0].name", "is required")]
    [InlineData("{backend: chat, hosts: a.example}", "routes[0].hosts", "must be a list")]
    [InlineData("{backend: chat, hosts: ['*']}", "routes[0].hosts[0]", "leave hosts out")]
    [InlineData("{backend: chat, hosts: [a.*.example]}", "routes[0].hosts[0]", "whole first label")]
    [InlineData("{backend: chat, hosts: ['a:80']}", "routes[0].hosts[0]", "without port")]
    [InlineData("{backend: chat, hosts: ['https://a']}", "routes[0].hosts[0]", "without scheme")]
    [InlineData("{backend: chat, hosts: [a..b]}", "routes[0].hosts[0]", "is not a host name")]
    [InlineData("{backend: chat, hosts: [-a]}", "routes[0].hosts[0]", "is not a host name")]
    [InlineData("{backend: chat, hosts: [ä.example]}", "routes[0].hosts[0]", "is not a host name")]
    [InlineData("{backend: chat, hosts: [a, A.]}", "routes[0].hosts[1]", "listed twice")]
    [InlineData("{backend: chat, path: {prefix: ws}}", "routes[0].path.prefix", "must start with '/'")]
    [InlineData("{backend: chat, path: {exact: ''}}", "routes[0].path.exact", "must start with '/'")]
    [InlineData("{backend: chat, path: {prefix: '/a?b'}}", "routes[0].path.prefix", "can never match")]
    [InlineData("{backend: chat, path: {prefix: /é}}", "routes[0].path.prefix", "percent-encoded")]
    [InlineData("{backend: chat, path: {prefix: /a, exact: /a}}", "routes[0].path", "either prefix or exact")]
    [InlineData("{backend: chat, path: {}}", "routes[0].path", "either prefix or exact")]
    [InlineData("{backend: chat, path: /ws}", "routes[0].path", "{prefix: /ws}")]
    [InlineData("{backend: chat, headers: [{name: 'x y', value: a}]}", "routes[0].headers[0].name", "is not a header name")]
    [InlineData("{backend: chat, headers: [{name: x, value: ' a'}]}", "routes[0].headers[0].value", "can never match")]
    [InlineData("{backend: chat, headers: [{name: x, value: a}, {name: X, value: b}]}", "routes[0].headers[1].name", "listed twice")]
    [InlineData("{backend: chat, headers: [{name: x}]}", "routes[0].headers[0].value", "is required")]
    [InlineData("{backend: chat, query: [{name: 'a=b', value: a}]}", "routes[0].query[0].name", "can never match")]
    [InlineData("{backend: chat, query: [{name: a, value: 'b c'}]}", "routes[0].query[0].value", "percent-encoded")]
    [InlineData("{backend: chat, methods: [get]}", "routes[0].methods[0]", "write GET")]
    [InlineData("{backend: chat, methods: ['G T']}", "routes[0].methods[0]", "is not a method")]
    [InlineData("{backend: chat, methods: [GET, GET]}", "routes[0].methods[1]", "listed twice")]
    [InlineData("{backend: chat, timeouts: {connect: 0s}}", "routes[0].timeouts.connect", "for example 5s")]
    [InlineData("{backend: chat, timeouts: {handshake: 0s}}", "routes[0].timeouts.handshake", "for example 10s")]
    [InlineData("{backend: chat, timeouts: {connect: 11s}}", "routes[0].timeouts.connect", "11s is longer than the handshake's 10s")]
    [InlineData("{backend: chat, timeout: {connect: 1s}}", "routes[0].timeout", "did you mean `timeouts`?")]
    [InlineData("{backend: chat}, {backend: chat}", "routes[1]", "routes[0] in line 2 has the same match")]
    [InlineData("{backend: chat, path: {prefix: /a}}, {backend: chat, path: {prefix: /a/}}", "routes[1]", "has the same match")]
    [InlineData("{backend: chat, hosts: [a, b]}, {backend: chat, hosts: [c, b]}", "routes[1]", "for host 'b'")]
    [InlineData("{backend: chat, methods: [GET, PUT]}, {backend: chat, methods: [PUT, GET]}", "routes[1]", "has the same match")]
    public void Routes(string routes, string key, string message) =>
        Expect($"listeners: [{GoodListener}]\nroutes: [{routes}]\nbackends: {{chat: {GoodBackend}}}", key, message);

    [Theory]
    [InlineData("{backend: chat}, {backend: chat, path: {exact: /}}")]
    [InlineData("{backend: chat}, {backend: chat, hosts: [a]}")]
    [InlineData("{backend: chat, headers: [{name: a, value: b}]}, {backend: chat, query: [{name: a, value: b}]}")]
    [InlineData("{backend: chat, methods: [GET]}, {backend: chat, methods: [GET, PUT]}")]
    public void Routes_that_differ_in_their_match_stand_side_by_side(string routes) =>
        Assert.Empty(ConfigurationReader.Read($"listeners: [{GoodListener}]\nroutes: [{routes}]\nbackends: {{chat: {GoodBackend}}}", "f").Faults);

    [Theory]
    [InlineData("'b d': {endpoints: [a:1]}", "backends.b d", "'b d' is not a name")]
    [InlineData("chat: {endpoints: [a:1]}", "backends.chat", "is given twice")]
    [InlineData("b: {}", "backends.b.endpoints", "is required")]
    [InlineData("b: {endpoints: []}", "backends.b.endpoints", "at least one endpoint")]
    [InlineData("b: {endpoints: [a]}", "backends.b.endpoints[0]", "has no port")]
    [InlineData("b: {endpoints: ['a:0']}", "backends.b.endpoints[0]", "from 1 to 65535")]
    [InlineData("b: {endpoints: ['1.2.3:80']}", "backends.b.endpoints[0]", "neither an IP address nor a host name")]
    [InlineData("b: {endpoints: ['http://a:80']}", "backends.b.endpoints[0]", "is not a host and port")]
    [InlineData("b: {endpoints: ['a:1', 'b:1', 'A:1']}", "backends.b.endpoints[2]", "already backends.b.endpoints[0]")]
    [InlineData("b: {endpoints: ['[::1]:1', '[0::1]:1']}", "backends.b.endpoints[1]", "already backends.b.endpoints[0]")]
    [InlineData("b: {endpoints: [a:1], loadBalancing: roundrobin}", "backends.b.loadBalancing", "write roundRobin")]
    [InlineData("b: {endpoints: [a:1], loadBalancing: fastest}", "backends.b.loadBalancing", "leastConnections, powerOfTwoChoices")]
    [InlineData("b: {endpoints: [a:1], keepAlive: {pongTimeout: 0s}}", "backends.b.keepAlive.pongTimeout", "for example 20s")]
    [InlineData("b: {endpoints: [a:1], keepalive: {}}", "backends.b.keepalive", "did you mean `keepAlive`?")]
    [InlineData("b: {endpoints: [a:1], slow_start: 1s}", "backends.b.slow_start", "did you mean `slowStart`?")]
    [InlineData("b: {endpoints: [a:1], spill: 4095}", "backends.b.spill", "4KiB")]
    [InlineData("b: {endpoints: [a:1], spill: 2GiB}", "backends.b.spill", "at most 1GiB")]
    [InlineData("b: {endpoints: [a:1], spill: 1MB}", "backends.b.spill", "64KiB")]
    [InlineData("b: {endpoints: [a:1], <<: {}}", "backends.b.<<", "merge keys")]
    [InlineData("b: {endpoints: [a:1], user: {}}", "backends.b.user", "`user` is not supported by this version")]
    [InlineData("b: {endpoints: [a:1], dns: {name: x, port: 1}}", "backends.b.dns", "either endpoints or dns")]
    [InlineData("b: {dns: {name: x}}", "backends.b.dns.port", "is required")]
    [InlineData("b: {dns: {name: 'a b', port: 1}}", "backends.b.dns.name", "for example chat.default.svc")]
    [InlineData("b: {dns: {name: 10.0.0.1, port: 1}}", "backends.b.dns.name", "is not a DNS name")]
    [InlineData("b: {dns: {name: 'a..', port: 1}}", "backends.b.dns.name", "is not a DNS name")]
    [InlineData("b: {dns: {name: '.', port: 1}}", "backends.b.dns.name", "is not a DNS name")]
    [InlineData("b: {dns: {name: 10.0.0.1., port: 1}}", "backends.b.dns.name", "is not a DNS name")]
    [InlineData("b: {endpoints: ['1.2.3.:80']}", "backends.b.endpoints[0]", "neither an IP address nor a host name")]
    [InlineData("b: {dns: {name: x, port: 70000}}", "backends.b.dns.port", "1 to 65535")]
    [InlineData("b: {dns: {name: x, port: 1, interval: 10ms}}", "backends.b.dns.interval", "100ms")]
    [InlineData("b: {endpoints: [a:1], health: {http: {}}}", "backends.b.health.http.path", "is required")]
    [InlineData("b: {endpoints: [a:1], health: {http: {path: x}}}", "backends.b.health.http.path", "for example /healthz")]
    [InlineData("b: {endpoints: [a:1], health: {websocket: {path: '/a b'}}}", "backends.b.health.websocket.path", "is not a request path")]
    [InlineData("b: {endpoints: [a:1], health: {tcp: {}, http: {path: /}}}", "backends.b.health.tcp", "checked in one way")]
    [InlineData("b: {endpoints: [a:1], health: {interval: 5s}}", "backends.b.health.interval", "there is no active check")]
    [InlineData("b: {endpoints: [a:1], health: {tcp: {}, timeout: 0s}}", "backends.b.health.timeout", "for example 1s")]
    [InlineData("b: {endpoints: [a:1], health: {tcp: {}, unhealthyAfter: 0}}", "backends.b.health.unhealthyAfter", "at least 1 failure")]
    [InlineData("b: {endpoints: [a:1], health: {tcp: {}, healthyAfter: 0}}", "backends.b.health.healthyAfter", "at least 1 success")]
    [InlineData("b: {endpoints: [a:1], health: {eject: {for: 0s}}}", "backends.b.health.eject.for", "afterFailures: 0")]
    [InlineData("b: {endpoints: [a:1], health: {eject: {maxPercent: 101}}}", "backends.b.health.eject.maxPercent", "0 to 100")]
    [InlineData("b: {endpoints: [a:1], drain: {closeCode: 1006}}", "backends.b.drain.closeCode", "write 1012")]
    [InlineData("b: {endpoints: [a:1], drain: {closeCode: 1011}}", "backends.b.drain.closeCode", "write 1012")]
    public void Backends(string backend, string key, string message) =>
        Expect($"listeners: [{GoodListener}]\nbackends: {{chat: {GoodBackend}, {backend}}}", key, message);

    [Theory]
    [InlineData("{protocol: socket.io}", "protocol", "`socket.io` is not supported by this version; write for example opaque")]
    [InlineData("{protocol: signalr}", "protocol", "`signalr` is not supported by this version")]
    [InlineData("{protocol: mqtt}", "protocol", "`mqtt` is not supported by this version")]
    [InlineData("{protocol: graphql}", "protocol", "'graphql' is not a protocol to hold; write graphql-transport-ws")]
    [InlineData("{protocol: Opaque}", "protocol", "write opaque")]
    [InlineData("{protocol: websocket}", "protocol", "none, opaque, graphql-transport-ws, json")]
    [InlineData("{protocol: [opaque]}", "protocol", "must be a single value")]
    [InlineData("opaque", "", "write for example {protocol: opaque}")]
    [InlineData("{mode: makefirst}", "mode", "'makefirst' is neither breakFirst nor makeFirst; write makeFirst")]
    [InlineData("{mode: both}", "mode", "write breakFirst")]
    [InlineData("{protocol: opaque, mode: makeFirst}", "mode", "nothing to overlap")]
    [InlineData("{overlap: 61s}", "overlap", "61s is not from 0s to 1m; write for example 1s")]
    [InlineData("{quiet: 2m, quietMax: 5m}", "quiet", "2m is not from 0s to 1m")]
    [InlineData("{quiet: 2s, quietMax: 1999ms}", "quietMax", "shorter than quiet, 2s, so that no endpoint would ever be quiet; write for example 10s")]
    [InlineData("{quiet: 6s}", "quietMax", "5s is shorter than quiet, 6s")]
    [InlineData("{quietMax: 6m}", "quietMax", "6m is not from 0s to 5m")]
    [InlineData("{fence: 49ms}", "fence", "49ms is not from 50ms to 1m")]
    [InlineData("{fence: 0s}", "fence", "write for example 1s")]
    [InlineData("{buffer: 4095}", "buffer", "4095 bytes are not from 4KiB to 64MiB")]
    [InlineData("{buffer: 65MiB}", "buffer", "write for example 256KiB")]
    [InlineData("{patience: 999ms}", "patience", "999ms is not from 1s to 1h")]
    [InlineData("{patience: 2h}", "patience", "write for example 30s")]
    [InlineData("{ratePerSecond: 0}", "ratePerSecond", "0 is not from 1 to 100000")]
    [InlineData("{ratePerSecond: 100001}", "ratePerSecond", "write for example 1000")]
    [InlineData("{onServerError: close}", "onServerError", "'close' is neither relay nor rehome")]
    [InlineData("{patiense: 1s}", "patiense", "did you mean `patience`?")]
    [InlineData("{protocol: json}", "json", "is required with protocol json")]
    [InlineData("{protocol: opaque, json: {set: [{match: {a: b}}]}}", "json", "write `protocol: json` beside it")]
    [InlineData("{json: {set: [{match: {a: b}}]}}", "json", "which is not chosen")]
    public void Holds(string hold, string key, string message) =>
        Expect($"listeners: [{GoodListener}]\nbackends: {{b: {{endpoints: [a:1], hold: {hold}}}}}", key.Length == 0 ? "backends.b.hold" : "backends.b.hold." + key, message);

    [Theory]
    [InlineData("{}", "set", "is required; write for example `set: [{match:")]
    [InlineData("{set: []}", "set", "at least one rule")]
    [InlineData("{set: {}}", "set", "must be a list")]
    [InlineData("{set: [{}]}", "set[0].match", "is required")]
    [InlineData("{set: [{match: {}}]}", "set[0].match", "would match every message")]
    [InlineData("{set: [{match: {a: [b]}}]}", "set[0].match.a", "must be a single value, not a list")]
    [InlineData("{set: [{match: {a: {b: c}}}]}", "set[0].match.a", "must be a single value, not a mapping")]
    [InlineData("{set: [{match: {a: b, a: c}}]}", "set[0].match.a", "is given twice; first in line 2")]
    [InlineData("{set: [{match: {'': b}}]}", "set[0].match", "an empty path names no member; write for example op")]
    [InlineData("{set: [{match: {a..b: c}}]}", "set[0].match", "'a..b' has an empty member name")]
    [InlineData("{set: [{match: {a: b}, key: .a}]}", "set[0].key[0]", "'.a' has an empty member name; write member names joined by single dots")]
    [InlineData("{set: [{match: {a: b}, key: [c, d, c]}]}", "set[0].key[2]", "'c' is listed twice")]
    [InlineData("{set: [{match: {a: b}, key: {c: d}}]}", "set[0].key", "must be a list, not a mapping")]
    [InlineData("{set: [{match: {a: b}}, {match: {c: d}}, {match: {a: b}, key: c}]}", "set[2]", "same match as backends.b.hold.json.set[0]")]
    [InlineData("{set: [{match: {a: b, c: d}}], unset: [{match: {c: d, a: b}}]}", "unset[0]", "a message cannot make state and end it")]
    [InlineData("{set: [{match: {a: b}, resume: since}]}", "set[0].resume", "there is no sequence to resume from; write for example `sequence: seq`")]
    [InlineData("{set: [{match: {a: b}, resume: data.since}], sequence: seq}", "set[0].resume", "'data.since' is a path")]
    [InlineData("{set: [{match: {a.x: b}, resume: a}], sequence: seq}", "set[0].resume", "what the rule knows its messages by")]
    [InlineData("{set: [{match: {a: b}, resume: ''}], sequence: seq}", "set[0].resume", "must not be empty")]
    [InlineData("{set: [{match: {a: b}}], unset: [{match: {c: d}, resume: since}], sequence: seq}", "unset[0].resume", "unknown key; known here: match, key")]
    [InlineData("{set: [{match: {a: b}}], replies: [{match: {a: ~}}]}", "replies[0].match.a", "has no value")]
    [InlineData("{set: [{match: {a: b}}], sequence: a.}", "sequence", "'a.' has an empty member name")]
    [InlineData("{set: [{match: {a: b}}], sequence: ''}", "sequence", "an empty path names no member; write for example seq")]
    [InlineData("{set: [{match: {a: b}}], sequence: [seq]}", "sequence", "must be a mapping, not a list")]
    [InlineData("{set: [{match: {a: b}}], sequence: }", "sequence", "must be a mapping, not nothing")]
    [InlineData("{set: [{match: {a: b}}], sequence: {key: c}}", "sequence.path", "is required")]
    [InlineData("{set: [{match: {a: b}}], sequence: {path: c, key: ['']}}", "sequence.key[0]", "an empty path")]
    public void Rules_of_a_json_hold(string json, string key, string message) =>
        Expect($"listeners: [{GoodListener}]\nbackends: {{b: {{endpoints: [a:1], hold: {{protocol: json, json: {json}}}}}}}", "backends.b.hold.json." + key, message);

    [Fact]
    public void Rules_of_a_json_hold_are_bounded()
    {
        var rules = string.Join(", ", Enumerable.Range(0, 33).Select(i => $"{{match: {{a: b{i}}}}}"));
        var paths = string.Join(", ", Enumerable.Range(0, 17).Select(i => "p" + i));
        var conditions = string.Join(", ", Enumerable.Range(0, 17).Select(i => $"p{i}: 1"));
        var text = new string('x', 257);
        Rules_of_a_json_hold($"{{set: [{rules}]}}", "set", "33 rules are more than the most, 32");
        Rules_of_a_json_hold($"{{set: [{{match: {{a: b}}, key: [{paths}]}}]}}", "set[0].key", "17 paths are more than the most, 16");
        Rules_of_a_json_hold($"{{set: [{{match: {{{conditions}}}}}]}}", "set[0].match", "17 conditions are more than the most, 16");
        Rules_of_a_json_hold($"{{set: [{{match: {{{text}: b}}}}]}}", "set[0].match", "has 257 characters; at most 256");
        Rules_of_a_json_hold($"{{set: [{{match: {{a: {text}}}}}]}}", "set[0].match", "has 257 characters; at most 256");
        Rules_of_a_json_hold($"{{set: [{{match: {{a: b}}, resume: {text}}}], sequence: seq}}", "set[0].resume", "257 characters are more than the most, 256");
    }

    [Theory]
    [InlineData("bufferTotal: 64MB", "bufferTotal", "for example 64MiB")]
    [InlineData("bufferTotal: 1023KiB", "bufferTotal", "1047552 bytes are not from 1MiB to 64GiB")]
    [InlineData("bufferTotal: 65GiB", "bufferTotal", "not from 1MiB to 64GiB; write for example 64MiB")]
    [InlineData("cluster: {}", "cluster", "`cluster` is not supported by this version")]
    [InlineData("shutdown: {delay: soon}", "shutdown.delay", "'soon' is not a duration")]
    [InlineData("shutdown: 5s", "shutdown", "must be a mapping, not the value '5s'")]
    [InlineData("backend: {}", "backend", "did you mean `backends`?")]
    [InlineData("zzz: 1", "zzz", "known here: listeners, admin")]
    public void The_rest(string line, string key, string message) => Expect($"listeners: [{GoodListener}]\n{line}", key, message);

    private static void Expect(string text, string key, string message)
    {
        var result = ConfigurationReader.Read(text, "f");
        Assert.Null(result.Configuration);
        var fault = Assert.Single(result.Faults);
        Assert.Equal(key, fault.Key);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.InRange(fault.Line, 1, text.Count('\n') + 1);
        Assert.True(fault.Column >= 1);
    }
}
