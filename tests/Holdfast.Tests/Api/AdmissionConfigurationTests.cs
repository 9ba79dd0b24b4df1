using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

public class AdmissionConfigurationTests
{
    [Fact]
    public void Every_key_reaches_its_record()
    {
        var configuration = Read("""
            listeners:
              - {name: web, address: 0.0.0.0:80, proxyProtocol: true}
              - {name: plain, address: 0.0.0.0:81, proxyProtocol: false, trustedProxies: [10.0.0.0/8]}
            routes:
              - {backend: all, origins: [https://App.example.com, "*.example.org:*", null]}
              - {path: {exact: /any}, backend: all, origins: ["*"]}
            backends:
              all:
                endpoints: [h:1]
                loadBalancing: consistentHash
                boundedLoad: 1.5
                affinity: {cookie: {name: __Host-pin, ttl: 8h, sameSite: None, path: /, secretFile: secret.txt}}
                limits:
                  connectionsPerEndpoint: 1
                  connectionsPerClientAddress: 2
                  connectionsPerKey: {header: X-Tenant, max: 3}
                  messageBytes: 4KiB
                  messagesPerSecond: 5
                handshakes: {ratePerSecond: 6, burst: 7, inFlightPerEndpoint: 8, queue: 9, queueTimeout: 10ms, fairBy: {header: X-Tenant}}
                auth:
                  url: https://auth.example:8443/verify?for=ws
                  forwardHeaders: [Cookie, Sec-WebSocket-Protocol]
                  copyHeaders: [X-User, Authorization]
                  timeout: 11s
                  maxInFlight: 12
              header: {endpoints: [h:2], affinity: {header: {name: X-Session}}}
              query: {endpoints: [h:3], affinity: {query: {name: Room}}, auth: {url: "http://[::1]:81", forwardHeaders: []}}
              address: {endpoints: [h:4], affinity: {clientAddress: {}}, handshakes: {fairBy: clientAddress}, boundedLoad: 2}
              cookie: {endpoints: [h:5], affinity: {cookie: {}}, limits: {connectionsPerKey: {header: x, max: 0}}}
              usual: {endpoints: [h:6], affinity: {cookie: {sameSite: Strict}}, limits: {}, handshakes: {}, auth: {url: http://auth}}
            """);

        Assert.Equal([true, false], configuration.Listeners.Select(l => l.ProxyProtocol));
        Assert.Equal(["https://App.example.com", "*.example.org:*", "null"], configuration.Routes[0].Origins);
        Assert.Equal(["*"], configuration.Routes[1].Origins);

        var all = configuration.Backends[0];
        Assert.Equal((LoadBalancingPolicy.ConsistentHash, 1.5), (all.LoadBalancing, all.BoundedLoad));
        Assert.Equal(
            new AffinityOptions
            {
                Kind = AffinityKind.Cookie,
                Cookie = new() { Name = "__Host-pin", Ttl = TimeSpan.FromHours(8), SameSite = SameSitePolicy.None, SecretFile = "secret.txt" },
            },
            all.Affinity);
        Assert.Equal(
            new BackendLimits
            {
                ConnectionsPerEndpoint = 1,
                ConnectionsPerClientAddress = 2,
                ConnectionsPerKey = new KeyLimit("X-Tenant", 3),
                MessageBytes = 4096,
                MessagesPerSecond = 5,
            },
            all.Limits);
        Assert.Equal(
            new HandshakeOptions
            {
                RatePerSecond = 6,
                Burst = 7,
                InFlightPerEndpoint = 8,
                Queue = 9,
                QueueTimeout = TimeSpan.FromMilliseconds(10),
                FairByHeader = "X-Tenant",
            },
            all.Handshakes);
        Assert.Equal(("https://auth.example:8443/verify?for=ws", TimeSpan.FromSeconds(11), 12), (all.Auth!.Url.ToString(), all.Auth.Timeout, all.Auth.MaxInFlight));
        Assert.Equal(["Cookie", "Sec-WebSocket-Protocol"], all.Auth.ForwardHeaders);
        Assert.Equal(["X-User", "Authorization"], all.Auth.CopyHeaders);

        Assert.Equal(
            [
                new() { Kind = AffinityKind.Header, Name = "X-Session" },
                new() { Kind = AffinityKind.Query, Name = "Room" },
                new() { Kind = AffinityKind.ClientAddress },
                new() { Kind = AffinityKind.Cookie, Cookie = new() },
            ],
            configuration.Backends.Skip(1).Take(4).Select(b => b.Affinity));
        Assert.Empty(configuration.Backends[2].Auth!.ForwardHeaders);
        Assert.Equal((null, 2.0), (configuration.Backends[3].Handshakes.FairByHeader, configuration.Backends[3].BoundedLoad));
        Assert.Equal(new KeyLimit("x", 0), configuration.Backends[4].Limits.ConnectionsPerKey);
    }

    [Fact]
    public void What_is_left_out_is_the_records_default()
    {
        var backends = Read("""
            listeners: [{name: web, address: 0.0.0.0:80}]
            backends:
              bare: {endpoints: [h:1]}
              empty: {endpoints: [h:2], limits: {}, handshakes: {}, auth: {url: http://auth}}
            """).Backends;
        Assert.All(backends, static b => Assert.Equal((new BackendLimits(), new HandshakeOptions(), new AffinityOptions(), 1.25), (b.Limits, b.Handshakes, b.Affinity, b.BoundedLoad)));
        Assert.Null(backends[0].Auth);
        var (usual, read) = (new AuthOptions { Url = new("http://auth") }, backends[1].Auth!);
        Assert.Equal(usual.ForwardHeaders, read.ForwardHeaders);
        Assert.Equal(usual with { ForwardHeaders = [], CopyHeaders = [] }, read with { ForwardHeaders = [], CopyHeaders = [] });
    }

    [Theory]
    [InlineData("cookie", "", "write for example {cookie: {name: holdfast}}")]
    [InlineData("{}", "", "needs cookie, header, query or clientAddress; write for example {cookie: {}}")]
    [InlineData("{cookie: {}, header: {name: x}}", ".header", "known by one thing")]
    [InlineData("{query: {name: x}, clientAddress: {}}", ".clientAddress", "remove the others")]
    [InlineData("{cookies: {}, cookie: {}}", ".cookies", "did you mean `cookie`?")]
    [InlineData("{cookie: }", ".cookie", "must be a mapping, not nothing")]
    [InlineData("{clientAddress: true}", ".clientAddress", "must be a mapping, not the value 'true'; write for example {}")]
    [InlineData("{cookie: {name: 'a b'}}", ".cookie.name", "'a b' is not a cookie's name; write for example holdfast")]
    [InlineData("{cookie: {name: 'a=b'}}", ".cookie.name", "is not a cookie's name")]
    [InlineData("{cookie: {name: ''}}", ".cookie.name", "must not be empty")]
    [InlineData("{cookie: {name: __secure-a}}", ".cookie.name", "starts with __Secure- without Secure")]
    [InlineData("{cookie: {name: __Host-a}}", ".cookie.name", "starts with __Host- without Secure")]
    [InlineData("{cookie: {ttl: 999ms}}", ".cookie.ttl", "999ms is under the least that a browser can be told, 1s")]
    [InlineData("{cookie: {ttl: forever}}", ".cookie.ttl", "is not a duration")]
    [InlineData("{cookie: {sameSite: lax}}", ".cookie.sameSite", "'lax' is not a SameSite policy; write Lax")]
    [InlineData("{cookie: {sameSite: non}}", ".cookie.sameSite", "write None")]
    [InlineData("{cookie: {sameSite: relaxed}}", ".cookie.sameSite", "write Lax, Strict, None")]
    [InlineData("{cookie: {sameSite: None}}", ".cookie.sameSite", "browsers drop a cookie with SameSite=None without Secure")]
    [InlineData("{cookie: {path: ws}}", ".cookie.path", "start with '/', for example /ws")]
    [InlineData("{cookie: {path: '/a;b'}}", ".cookie.path", "'/a;b' is not a cookie's path")]
    [InlineData("{cookie: {path: \"/a\\nb\"}}", ".cookie.path", "'/a?b' is not a cookie's path")]
    [InlineData("{cookie: {path: '/é'}}", ".cookie.path", "visible ASCII")]
    [InlineData("{cookie: {secretFile: ''}}", ".cookie.secretFile", "must not be empty")]
    [InlineData("{cookie: {secret: abc}}", ".cookie.secret", "did you mean `secretFile`?")]
    [InlineData("{header: {}}", ".header.name", "is required; write for example `name: x-session`")]
    [InlineData("{header: x}", ".header", "write for example {name: x-session}")]
    [InlineData("{header: {name: 'x y'}}", ".header.name", "'x y' is not a header name; write for example x-session")]
    [InlineData("{header: {name: Holdfast-Key}}", ".header.name", "is removed from what clients send")]
    [InlineData("{header: {name: X-Forwarded-For}}", ".header.name", "write clientAddress: {}, which believes trusted proxies only")]
    [InlineData("{query: {}}", ".query.name", "is required; write for example `name: session`")]
    [InlineData("{query: {name: 'a&b'}}", ".query.name", "can never match")]
    public void Affinity(string affinity, string key, string message) => ExpectBackend($"affinity: {affinity}", "affinity" + key, message);

    [Fact]
    public void A_cookie_that_needs_TLS_needs_a_proxy_that_may_tell_of_it()
    {
        const string Backend = "{endpoints: [h:1], affinity: {cookie: {name: __Host-pin, sameSite: None}}}";
        Assert.Equal(2, Faults($"{Listener}\nbackends: {{b: {Backend}}}").Count);
        Assert.Empty(Faults($"listeners: [{{name: web, address: '0.0.0.0:80', trustedProxies: [10.0.0.0/8]}}]\nbackends: {{b: {Backend}}}"));
        // Whether a listener that could not be read has any is not known.
        Assert.Equal("listeners[0].trustedProxies[0]", Only($"listeners: [{{name: web, address: '0.0.0.0:80', trustedProxies: [x]}}]\nbackends: {{b: {Backend}}}").Key);
        Assert.Equal("backends.b.affinity.cookie.path", Only(
            $"listeners: [{{name: web, address: '0.0.0.0:80', trustedProxies: [10.0.0.0/8]}}]\nbackends: {{b: {{endpoints: [h:1], affinity: {{cookie: {{name: __host-pin, path: /ws}}}}}}}}").Key);
    }

    [Theory]
    [InlineData("{connectionsPerEndpoint: -1}", ".connectionsPerEndpoint", "is not a whole number")]
    [InlineData("{connectionsPerClient: 1}", ".connectionsPerClient", "did you mean `connectionsPerClientAddress`?")]
    [InlineData("{connectionsPerClientAddress: many}", ".connectionsPerClientAddress", "write for example 100")]
    [InlineData("{connectionsPerKey: 5}", ".connectionsPerKey", "write for example {header: x-tenant, max: 1000}")]
    [InlineData("{connectionsPerKey: {max: 5}}", ".connectionsPerKey.header", "is required; write for example `header: x-tenant`")]
    [InlineData("{connectionsPerKey: {header: x-tenant}}", ".connectionsPerKey.max", "is required; write for example `max: 1000`")]
    [InlineData("{connectionsPerKey: {header: 'x:', max: 5}}", ".connectionsPerKey.header", "'x:' is not a header name; write for example x-tenant")]
    [InlineData("{connectionsPerKey: {header: holdfast-x, max: 5}}", ".connectionsPerKey.header", "so that all would be one")]
    [InlineData("{connectionsPerKey: {header: x-forwarded-for, max: 5}}", ".connectionsPerKey.header", "write connectionsPerClientAddress")]
    [InlineData("{messageBytes: 1MB}", ".messageBytes", "is not a size")]
    [InlineData("{messageBytes: 2GiB}", ".messageBytes", "at most 1GiB")]
    [InlineData("{messagesPerSecond: 0.5}", ".messagesPerSecond", "is not a whole number")]
    public void Limits(string limits, string key, string message) => ExpectBackend($"limits: {limits}", "limits" + key, message);

    [Theory]
    [InlineData("{burst: 5}", ".burst", "write for example `ratePerSecond: 300` beside it")]
    [InlineData("{burst: 5, ratePerSecond: 0}", ".burst", "without a rate any number may leave at once")]
    [InlineData("{burst: 5, ratePerSecond: x}", ".ratePerSecond", "is not a whole number")]
    [InlineData("{ratePerSecond: 1000001}", ".ratePerSecond", "1000001 is not from 0 to 1000000; write for example 300")]
    [InlineData("{ratePerSecond: 1, burst: 1000001}", ".burst", "is not from 0 to 1000000")]
    [InlineData("{inFlightPerEndpoint: 1000001}", ".inFlightPerEndpoint", "write for example 64")]
    [InlineData("{queue: 1000001}", ".queue", "write for example 1024")]
    [InlineData("{queueTimeout: 0s}", ".queueTimeout", "queue: 0 turns waiting off")]
    [InlineData("{fairBy: client}", ".fairBy", "'client' is no key to take turns by; write clientAddress, or a header: {header: x-tenant}")]
    [InlineData("{fairBy: }", ".fairBy", "must be a mapping, not nothing")]
    [InlineData("{fairBy: [x]}", ".fairBy", "must be a mapping, not a list")]
    [InlineData("{fairBy: {}}", ".fairBy.header", "is required")]
    [InlineData("{fairBy: {header: ''}}", ".fairBy.header", "must not be empty")]
    [InlineData("{fairBy: {header: 'a b'}}", ".fairBy.header", "is not a header name")]
    [InlineData("{fairBy: {header: forwarded}}", ".fairBy.header", "write fairBy: clientAddress")]
    [InlineData("{fairBy: {header: Holdfast-Tenant}}", ".fairBy.header", "is removed from what clients send")]
    public void Handshakes(string handshakes, string key, string message) => ExpectBackend($"handshakes: {handshakes}", "handshakes" + key, message);

    [Fact]
    public void Turns_cannot_be_taken_by_what_is_known_only_after_the_queue() => ExpectBackend(
        "handshakes: {fairBy: {header: x-user}}, auth: {url: http://auth, copyHeaders: [X-User]}", "handshakes.fairBy.header", "unknown before the auth service has answered");

    [Theory]
    [InlineData("1")]
    [InlineData("1.009")]
    [InlineData("100.01")]
    [InlineData("0")]
    public void A_bounded_load_out_of_bounds(string value) => ExpectBackend($"boundedLoad: {value}", "boundedLoad", "is not from 1.01 to 100; write for example 1.25");

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1,25")]
    [InlineData("1e1")]
    [InlineData("-2")]
    [InlineData(".")]
    [InlineData("125%")]
    public void A_bounded_load_that_is_no_number(string value) => ExpectBackend($"boundedLoad: '{value}'", "boundedLoad", "is not a decimal number; write for example 1.25");

    [Theory]
    [InlineData("{}", ".url", "is required; write for example `url: http://auth.default.svc/verify`")]
    [InlineData("http://auth", "", "write for example {url: http://auth.default.svc/verify}")]
    [InlineData("{url: /verify}", ".url", "is not an absolute URL")]
    [InlineData("{url: 'auth:80'}", ".url", "is not an absolute URL")]
    [InlineData("{url: 'http:auth'}", ".url", "is not an absolute URL")]
    [InlineData("{url: 'http://a b/'}", ".url", "visible ASCII")]
    [InlineData("{url: http://bücher.example/}", ".url", "visible ASCII")]
    [InlineData("{url: 'ftp://auth/'}", ".url", "neither http nor https")]
    [InlineData("{url: 'file:///etc/passwd'}", ".url", "neither http nor https")]
    [InlineData("{url: 'wss://auth/'}", ".url", "neither http nor https")]
    [InlineData("{url: 'http://user:hunter2@auth/'}", ".url", "must not hold a user or password")]
    [InlineData("{url: 'http://auth/#x'}", ".url", "must not have a fragment")]
    [InlineData("{url: 'http://auth/#'}", ".url", "must not have a fragment")]
    [InlineData("{url: 'http://auth:0/'}", ".url", "has no valid host and port")]
    [InlineData("{url: 'http://auth:99999/'}", ".url", "is not an absolute URL")]
    [InlineData("{url: 'http:///verify'}", ".url", "is not an absolute URL")]
    [InlineData("{url: http://auth, timeout: 0s}", ".timeout", "write for example 2s")]
    [InlineData("{url: http://auth, maxInFlight: 0}", ".maxInFlight", "0 is not from 1 to 10000; write for example 64")]
    [InlineData("{url: http://auth, maxInFlight: 10001}", ".maxInFlight", "is not from 1 to 10000")]
    [InlineData("{url: http://auth, copyHeaders: x-user}", ".copyHeaders", "must be a list")]
    [InlineData("{url: http://auth, copyHeaders: ['']}", ".copyHeaders[0]", "must not be empty")]
    [InlineData("{url: http://auth, copyHeaders: ['x user']}", ".copyHeaders[0]", "'x user' is not a header name; write for example x-user")]
    [InlineData("{url: http://auth, copyHeaders: [x-user, X-User]}", ".copyHeaders[1]", "'X-User' is listed twice")]
    [InlineData("{url: http://auth, forwardHeaders: [cookie, Cookie]}", ".forwardHeaders[1]", "listed twice")]
    [InlineData("{url: http://auth, forwardHeaders: ['a,b']}", ".forwardHeaders[0]", "is not a header name; write for example authorization")]
    [InlineData("{url: http://auth, forwardHeaders: [Holdfast-Connection-Id]}", ".forwardHeaders[0]", "is removed from what clients send")]
    public void Auth(string auth, string key, string message) => ExpectBackend($"auth: {auth}", "auth" + key, message);

    [Theory]
    [InlineData("connection")]
    [InlineData("Keep-Alive")]
    [InlineData("proxy-connection")]
    [InlineData("Proxy-Authenticate")]
    [InlineData("proxy-authorization")]
    [InlineData("TE")]
    [InlineData("trailer")]
    [InlineData("Transfer-Encoding")]
    [InlineData("UPGRADE")]
    [InlineData("host")]
    [InlineData("content-length")]
    [InlineData("Expect")]
    [InlineData("sec-websocket-key")]
    [InlineData("X-Forwarded-For")]
    [InlineData("x-forwarded-groups")]
    [InlineData("Forwarded")]
    [InlineData("holdfast-connection-id")]
    public void A_header_that_auth_must_neither_be_sent_nor_set(string name)
    {
        ExpectBackend($"auth: {{url: http://auth, copyHeaders: [x-user, {name}]}}", "auth.copyHeaders[1]", $"'{name}'");
        ExpectBackend($"auth: {{url: http://auth, forwardHeaders: [cookie, {name}]}}", "auth.forwardHeaders[1]", $"'{name}'");
    }

    [Fact]
    public void A_subprotocol_may_hold_a_token_and_so_be_forwarded_but_not_set()
    {
        Assert.Empty(Faults($"{Listener}\nbackends: {{b: {{endpoints: [h:1], auth: {{url: http://auth, forwardHeaders: [Sec-WebSocket-Protocol]}}}}}}"));
        ExpectBackend("auth: {url: http://auth, copyHeaders: [Sec-WebSocket-Protocol]}", "auth.copyHeaders[0]", "never copied");
    }

    [Fact]
    public void Lists_are_bounded()
    {
        var headers = string.Join(", ", Enumerable.Range(0, 65).Select(i => "x" + i));
        ExpectBackend($"auth: {{url: http://auth, copyHeaders: [{headers}]}}", "auth.copyHeaders", "has 65 entries; at most 64");
        ExpectBackend($"auth: {{url: http://auth, forwardHeaders: [{headers}]}}", "auth.forwardHeaders", "has 65 entries; at most 64");
        ExpectBackend($"auth: {{url: 'http://auth/{new string('x', 2048)}'}}", "auth.url", "at most 2048");
        ExpectOrigins(string.Join(", ", Enumerable.Range(0, 1025).Select(i => $"a{i}.example")), "routes[0].origins", "has 1025 entries; at most 1024");
    }

    [Fact]
    public void A_password_in_a_URL_is_never_shown()
    {
        foreach (var url in new[] { "http://user:hunter2@auth/", "ftp://user:hunter2@auth/", "http://user:hunter2@a b/", "//user:hunter2@auth" })
            Assert.DoesNotContain("hunter2", Only($"{Listener}\nbackends: {{b: {{endpoints: [h:1], auth: {{url: '{url}'}}}}}}").ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://a.example/", "[0]", "no path, not even '/'; write https://a.example")]
    [InlineData("''", "[0]", "is not an origin; write for example https://app.example.com")]
    [InlineData("~", "[0]", "'~'")]
    [InlineData("[]", "[0]", "must be a single value")]
    [InlineData("https://bücher.example", "[0]", "punycode")]
    [InlineData("a.example, https://a.example, 'A.example.:*'", "[2]", "means the same as routes[0].origins[0]; remove one")]
    [InlineData("null, 'null'", "[1]", "means the same as")]
    [InlineData("a.example, '*'", "[1]", "allows every origin, so that the others say nothing")]
    public void Origins(string origins, string key, string message) => ExpectOrigins(origins, "routes[0].origins" + key, message);

    [Theory]
    [InlineData("yes", "'yes' is neither true nor false; write for example true")]
    [InlineData("True", "write for example true")]
    [InlineData("v2", "write for example true")]
    [InlineData("", "has no value")]
    public void Proxy_protocol(string value, string message) => Expect($"listeners: [{{name: web, address: '0.0.0.0:80', proxyProtocol: {value}}}]", "listeners[0].proxyProtocol", message);

    [Fact]
    public void All_faults_of_a_backend_are_told_at_once_with_their_places()
    {
        var result = ConfigurationReader.Read("""
            listeners: [{name: web, address: 0.0.0.0:80}]
            routes:
              - backend: chat
                origins: [https://a/, wss://b]
            backends:
              chat:
                endpoints: [h:2]
                boundedLoad: 1
                affinity:
                  cookie: {sameSite: None}
                limits: {connectionsPerKey: {header: "", max: x}}
                handshakes: {burst: 1, fairBy: {header: " "}}
                auth: {url: http://auth#, copyHeaders: [host], maxInFlight: 0}
            """, "gw.yaml");
        Assert.Equal(
            [
                "gw.yaml:4:15 routes[0].origins[0]",
                "gw.yaml:4:27 routes[0].origins[1]",
                "gw.yaml:8:18 backends.chat.boundedLoad",
                "gw.yaml:10:26 backends.chat.affinity.cookie.sameSite",
                "gw.yaml:11:42 backends.chat.limits.connectionsPerKey.header",
                "gw.yaml:11:51 backends.chat.limits.connectionsPerKey.max",
                "gw.yaml:12:25 backends.chat.handshakes.burst",
                "gw.yaml:12:45 backends.chat.handshakes.fairBy.header",
                "gw.yaml:13:17 backends.chat.auth.url",
                "gw.yaml:13:45 backends.chat.auth.copyHeaders[0]",
                "gw.yaml:13:65 backends.chat.auth.maxInFlight",
            ],
            result.Faults.Select(f => FormattableString.Invariant($"{f.File}:{f.Line}:{f.Column} {f.Key}")));
    }

    private const string Listener = "listeners: [{name: web, address: '0.0.0.0:80'}]";

    private static void ExpectBackend(string keys, string key, string message) => Expect($"{Listener}\nbackends: {{b: {{endpoints: [h:1], {keys}}}}}", "backends.b." + key, message);

    private static void ExpectOrigins(string origins, string key, string message) =>
        Expect($"{Listener}\nroutes: [{{backend: b, origins: [{origins}]}}]\nbackends: {{b: {{endpoints: [h:1]}}}}", key, message);

    private static void Expect(string text, string key, string message)
    {
        var fault = Only(text);
        Assert.Equal(key, fault.Key);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.InRange(fault.Message.Length, 10, 400);
    }

    private static ConfigurationFault Only(string text) => Assert.Single(Faults(text));

    private static IReadOnlyList<ConfigurationFault> Faults(string text) => ConfigurationReader.Read(text, "f").Faults;

    private static GatewayConfiguration Read(string text)
    {
        var result = ConfigurationReader.Read(text, "gw.yaml");
        Assert.Empty(result.Faults);
        return result.Configuration!;
    }
}
