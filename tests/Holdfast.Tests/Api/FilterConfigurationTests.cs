using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

public class FilterConfigurationTests
{
    private const string Listeners =
        "listeners: [{name: web, address: '0.0.0.0:80'}, {name: tls, address: '0.0.0.0:443', tls: {certificates: [{certificate: a.crt, key: a.key}]}},"
        + " {name: behind, address: '0.0.0.0:81', trustedProxies: [10.0.0.0/8]}]";

    [Fact]
    public void Every_key_reaches_its_record()
    {
        var routes = Read("""
            {path: {prefix: /api}, backend: b, filters: [
                {responseHeaders: {add: {Vary: origin}}},
                {requestHeaders: {set: {X-A: b, x-c: "d  e"}, add: {x-f: "1"}, remove: [x-g, X-H]}},
                {rewrite: {host: "internal:81", path: {prefix: /}}}]},
            {path: {exact: /a}, backend: b, filters: [{rewrite: {path: {full: /b}}}]},
            {path: {exact: /b}, filters: [{redirect: {scheme: https, host: "[::1]", port: 8443, path: {full: /c}, status: 308}}]},
            {path: {exact: /c}, filters: [{redirect: {host: example.com}}]},
            {path: {exact: /d}, backend: b, filters: []}
            """);

        var filters = routes[0].Filters;
        Assert.Equal([new NameValueMatch("X-A", "b"), new NameValueMatch("x-c", "d  e")], filters.RequestHeaders.Set);
        Assert.Equal([new NameValueMatch("x-f", "1")], filters.RequestHeaders.Add);
        Assert.Equal(["x-g", "X-H"], filters.RequestHeaders.Remove);
        Assert.Equal([new NameValueMatch("Vary", "origin")], filters.ResponseHeaders.Add);
        Assert.Equal((0, 0), (filters.ResponseHeaders.Set.Count, filters.ResponseHeaders.Remove.Count));
        Assert.Equal((new RewriteFilter("internal:81", new(PathRewriteKind.Prefix, "/")), null), (filters.Rewrite, filters.Redirect));
        Assert.Equal(new RewriteFilter(null, new(PathRewriteKind.Full, "/b")), routes[1].Filters.Rewrite);
        Assert.Equal(new RedirectFilter("https", "[::1]", 8443, new(PathRewriteKind.Full, "/c"), 308), routes[2].Filters.Redirect);
        Assert.Empty(routes[2].Backends);
        Assert.Equal(new RedirectFilter(null, "example.com", null, null), routes[3].Filters.Redirect);
        Assert.Equal(302, routes[3].Filters.Redirect!.Status);
        Assert.True(routes[4].Filters is { Rewrite: null, Redirect: null, RequestHeaders.IsNone: true, ResponseHeaders.IsNone: true });
    }

    [Theory]
    [InlineData("{}", "", "must be a list, not a mapping; write for example [{requestHeaders:")]
    [InlineData("[{}]", "[0]", "needs exactly one of requestHeaders, responseHeaders, rewrite and redirect")]
    [InlineData("[requestHeaders]", "[0]", "must be a mapping, not the value 'requestHeaders'; write for example {requestHeaders: {set: {x-gateway: holdfast}}}")]
    [InlineData("[{headers: {}}]", "[0].headers", "unknown key")]
    [InlineData("[{requestHeader: {set: {a: b}}}]", "[0].requestHeader", "did you mean `requestHeaders`?")]
    [InlineData("[{requestHeaders: {set: {a: b}}, responseHeaders: {set: {a: b}}}]", "[0]", "write another item for each further one")]
    [InlineData("[{requestHeaders: {set: {a: b}}}, {requestHeaders: {remove: [c]}}]", "[1].requestHeaders", "is given by routes[0].filters[0] too; write both as one")]
    [InlineData("[{requestHeaders: }]", "[0].requestHeaders", "must be a mapping, not nothing")]
    [InlineData("[{rewrite: {path: {prefix: /}}}, {redirect: {host: x}}]", "[1].redirect", "a request is either rewritten or redirected; remove one")]
    [InlineData("[{redirect: {host: x}}, {rewrite: {host: x}}]", "[0].redirect", "a request is either rewritten or redirected; remove one")]
    public void Lists(string filters, string key, string message)
    {
        var isRedirect = filters.Contains("redirect:", StringComparison.Ordinal);
        Expect($"{{path: {{prefix: /api}}, {(isRedirect ? "" : "backend: b, ")}filters: {filters}}}", "routes[0].filters" + key, message);
    }

    [Theory]
    [InlineData("{}", "", "changes nothing; write for example {set: {x-gateway: value}}")]
    [InlineData("{remove: []}", "", "changes nothing")]
    [InlineData("{set: [a]}", ".set", "must be a mapping, not a list; write for example {x-gateway: holdfast}")]
    [InlineData("{set: {a: [b]}}", ".set.a", "must be a single value, not a list")]
    [InlineData("{set: {a: }}", ".set.a", "has no value")]
    [InlineData("{set: {a: ''}}", ".set.a", "is no header's value: write 1 to 4096 visible ASCII characters")]
    [InlineData("{set: {a: ' b'}}", ".set.a", "is no header's value")]
    [InlineData("{set: {a: \"b\\r\\nc: d\"}}", ".set.a", "is no header's value")]
    [InlineData("{add: {a: \"b\\0\"}}", ".add.a", "is no header's value")]
    [InlineData("{add: {a: é}}", ".add.a", "is no header's value")]
    [InlineData("{set: {'a b': c}}", ".set.a b", "'a b' is not a header name; write for example x-gateway")]
    [InlineData("{set: {'a:': c}}", ".set.a:", "'a:' is not a header name")]
    [InlineData("{remove: ['']}", ".remove[0]", "'' is not a header name")]
    [InlineData("{set: {x: a, X: b}}", ".set.X", "the header 'X' is given twice, in another case")]
    [InlineData("{add: {x: a, x: b}}", ".add.x", "is given twice; first in line 2")]
    [InlineData("{set: {x: a}, remove: [X]}", ".remove[0]", "'X' is also set, which replaces every line of it; remove it here")]
    [InlineData("{add: {x: a}, remove: [X]}", ".remove[0]", "'X' is also added; write it under set")]
    [InlineData("{remove: [x, X]}", ".remove[1]", "'X' is listed twice")]
    [InlineData("{set: {host: a}}", ".set.host", "'Host' is not changed as a header; write a filter `rewrite: {host: chat.internal}`")]
    [InlineData("{remove: [Host]}", ".remove[0]", "rewrite: {host: chat.internal}")]
    [InlineData("{set: {Connection: close}}", ".set.Connection", "'Connection' belongs to one connection and is the gateway's; write for example x-gateway")]
    [InlineData("{remove: [keep-alive]}", ".remove[0]", "belongs to one connection")]
    [InlineData("{remove: [upgrade]}", ".remove[0]", "belongs to one connection")]
    [InlineData("{add: {te: trailers}}", ".add.te", "belongs to one connection")]
    [InlineData("{add: {content-length: 1}}", ".add.content-length", "belongs to one connection")]
    [InlineData("{add: {transfer-encoding: chunked}}", ".add.transfer-encoding", "belongs to one connection")]
    [InlineData("{remove: [sec-websocket-protocol]}", ".remove[0]", "belongs to one connection")]
    [InlineData("{set: {Holdfast-Connection-Id: x}}", ".set.Holdfast-Connection-Id", "is set by the gateway, and no route changes it")]
    [InlineData("{set: {x-forwarded-for: x}}", ".set.x-forwarded-for", "is set by the gateway")]
    [InlineData("{remove: [forwarded]}", ".remove[0]", "is set by the gateway")]
    [InlineData("{set: {X-User: x}}", ".set.X-User", "'X-User' is one of auth.copyHeaders of the route's backend")]
    [InlineData("{remove: [x-user]}", ".remove[0]", "what the auth service says is not changed")]
    public void Request_headers(string changes, string key, string message) =>
        Expect($"{{path: {{prefix: /api}}, backend: b, filters: [{{requestHeaders: {changes}}}]}}", "routes[0].filters[0].requestHeaders" + key, message);

    [Theory]
    [InlineData("{set: {}}", "", "changes nothing; write for example {set: {strict-transport-security: value}}")]
    [InlineData("{set: {upgrade: h2c}}", ".set.upgrade", "belongs to one connection and is the gateway's; write for example strict-transport-security")]
    [InlineData("{remove: [content-length]}", ".remove[0]", "belongs to one connection")]
    [InlineData("{remove: [sec-websocket-accept]}", ".remove[0]", "belongs to one connection")]
    [InlineData("{set: {Holdfast-X: y}}", ".set.Holdfast-X", "is the gateway's and removed from every answer")]
    [InlineData("{set: {server: \"a\\nb\"}}", ".set.server", "is no header's value")]
    public void Response_headers(string changes, string key, string message) =>
        Expect($"{{path: {{prefix: /api}}, backend: b, filters: [{{responseHeaders: {changes}}}]}}", "routes[0].filters[0].responseHeaders" + key, message);

    [Fact]
    public void A_value_is_never_shown() =>
        Assert.DoesNotContain("s3cret", Assert.Single(Faults("{backend: b, filters: [{requestHeaders: {set: {authorization: \"s3cret\\n\"}}}]}")).ToString(), StringComparison.Ordinal);

    [Fact]
    public void Headers_are_bounded_in_number_and_length()
    {
        var many = string.Join(", ", Enumerable.Range(0, 17).Select(i => $"x-{i}: a"));
        var fault = Assert.Single(Faults($"{{backend: b, filters: [{{requestHeaders: {{set: {{{many}}}}}}}]}}"));
        Assert.Equal(("routes[0].filters[0].requestHeaders.set", "has 17 entries; at most 16 are allowed"), (fault.Key, fault.Message));

        var names = string.Join(", ", Enumerable.Range(0, 17).Select(i => $"x-{i}"));
        fault = Assert.Single(Faults($"{{backend: b, filters: [{{responseHeaders: {{remove: [{names}]}}}}]}}"));
        Assert.Equal(("routes[0].filters[0].responseHeaders.remove", "has 17 entries; at most 16 are allowed"), (fault.Key, fault.Message));

        var value = new string('v', 4096);
        Assert.Empty(Faults($"{{backend: b, filters: [{{requestHeaders: {{set: {{a: {value}}}}}}}]}}"));
        fault = Assert.Single(Faults($"{{backend: b, filters: [{{requestHeaders: {{set: {{a: {value}}}, add: {{b: {value}}}}}}}]}}"));
        Assert.Equal(("routes[0].filters[0].requestHeaders", "names and values have 8194 characters together; at most 8192 are allowed"), (fault.Key, fault.Message));
        Assert.Contains("is no header's value", Assert.Single(Faults($"{{backend: b, filters: [{{requestHeaders: {{set: {{a: {value}v}}}}}}]}}")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "", "changes nothing; write for example {path: {prefix: /}}")]
    [InlineData("{host: 'a b'}", ".host", "'a b' is not a host, with or without port; write for example chat.internal or chat.internal:8080")]
    [InlineData("{host: 'http://a'}", ".host", "is not a host")]
    [InlineData("{host: 'a:0'}", ".host", "is not a host")]
    [InlineData("{host: 'a:65536'}", ".host", "is not a host")]
    [InlineData("{host: '::1'}", ".host", "is not a host")]
    [InlineData("{host: ''}", ".host", "is not a host")]
    [InlineData("{host: \"a\\r\\nb: c\"}", ".host", "'a??b: c' is not a host")]
    [InlineData("{path: /x}", ".path", "must be a mapping, not the value '/x'; write for example {prefix: /}")]
    [InlineData("{path: {}}", ".path", "needs either prefix or full")]
    [InlineData("{path: {prefix: /, full: /}}", ".path", "needs either prefix or full")]
    [InlineData("{path: {prefix: ''}}", ".path.prefix", "'' must start with '/'; write for example /, which takes the prefix away")]
    [InlineData("{path: {full: index.html}}", ".path.full", "'index.html' must start with '/'; write for example /index.html")]
    [InlineData("{path: {full: '/a?b'}}", ".path.full", "without '?' and '#'")]
    [InlineData("{path: {prefix: '/a b'}}", ".path.prefix", "percent-encoded, for example /caf%C3%A9")]
    [InlineData("{path: {full: \"/a\\r\\nb\"}}", ".path.full", "'/a??b' is not a path")]
    public void Rewrites(string rewrite, string key, string message) =>
        Expect($"{{path: {{prefix: /api}}, backend: b, filters: [{{rewrite: {rewrite}}}]}}", "routes[0].filters[0].rewrite" + key, message);

    [Theory]
    [InlineData("{host: internal}")]
    [InlineData("{host: 'Internal.Example:8080'}")]
    [InlineData("{host: '10.0.0.1:80'}")]
    [InlineData("{host: '[::1]'}")]
    [InlineData("{host: '[::1]:80', path: {full: /}}")]
    public void Hosts_that_a_rewrite_may_name(string rewrite) => Assert.Empty(Faults($"{{backend: b, filters: [{{rewrite: {rewrite}}}]}}"));

    [Theory]
    [InlineData("backend: b, filters: [{responseHeaders: {remove: [a]}}, {rewrite: {path: {prefix: /x}}}]", "[1].rewrite")]
    [InlineData("filters: [{redirect: {path: {prefix: /x}}}]", "[0].redirect")]
    public void An_exact_path_has_no_prefix_to_replace(string route, string key) => Expect(
        $"{{path: {{exact: /api}}, {route}}}",
        $"routes[0].filters{key}.path.prefix",
        "the route's path is exact, so that there is no prefix to replace; write `full: /x`");

    [Theory]
    [InlineData("{scheme: wss}", ".scheme", "'wss' is neither http nor https; write https")]
    [InlineData("{scheme: HTTPS}", ".scheme", "write https")]
    [InlineData("{host: 'a:443'}", ".host", "'a:443' is not a host (the port has its own key); write for example chat.example.com")]
    [InlineData("{host: 'https://a'}", ".host", "is not a host (the scheme has its own key)")]
    [InlineData("{host: '*.example.com'}", ".host", "is not a host")]
    [InlineData("{host: \"a\\r\\nset-cookie: b\"}", ".host", "is not a host")]
    [InlineData("{host: x, port: 0}", ".port", "0 is not a port; write 1 to 65535, for example 443")]
    [InlineData("{host: x, port: 65536}", ".port", "65536 is not a port")]
    [InlineData("{host: x, port: https}", ".port", "is not a whole number")]
    [InlineData("{host: x, status: 300}", ".status", "300 is no redirect that browsers follow; write 301, 302, 303, 307 or 308")]
    [InlineData("{host: x, status: 304}", ".status", "304 is no redirect")]
    [InlineData("{host: x, path: {full: x}}", ".path.full", "must start with '/'")]
    [InlineData("{host: x, path: {prefix: '/#'}}", ".path.prefix", "is not a path")]
    [InlineData("{}", "", "leads every request back to itself; write for example {scheme: https}")]
    [InlineData("{status: 308}", "", "leads every request back to itself")]
    [InlineData("{path: {prefix: /api/}}", "", "leads every request back to itself")]
    [InlineData("{scheme: https}", "", "leads every request of the listener 'tls' back to itself; write the names of the others as the route's listeners, for example [web]")]
    [InlineData("{scheme: http}", "", "leads every request of the listener 'web' back to itself")]
    public void Redirects(string redirect, string key, string message) =>
        Expect($"{{path: {{prefix: /api}}, filters: [{{redirect: {redirect}}}]}}", "routes[0].filters[0].redirect" + key, message);

    [Theory]
    [InlineData("{path: {exact: /a}, hosts: [a.example], filters: [{redirect: {host: A.example, path: {full: /a}}}]}")]
    [InlineData("{path: {prefix: /a}, hosts: [a.example], filters: [{redirect: {host: a.example, path: {prefix: /a}}}]}")]
    [InlineData("{listeners: [web], filters: [{redirect: {scheme: http}}]}")]
    [InlineData("{listeners: [web, tls], filters: [{redirect: {scheme: https}}]}")]
    public void A_redirect_to_where_the_request_came_from_is_refused(string route) => Assert.Contains("back to itself", Assert.Single(Faults(route)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{listeners: [web], filters: [{redirect: {scheme: https}}]}")]
    [InlineData("{listeners: [web, behind], filters: [{redirect: {scheme: https}}]}")]
    [InlineData("{listeners: [tls], filters: [{redirect: {scheme: http}}]}")]
    [InlineData("{filters: [{redirect: {scheme: https, port: 8443}}]}")]
    [InlineData("{filters: [{redirect: {port: 443}}]}")]
    [InlineData("{hosts: [a.example, b.example], filters: [{redirect: {host: a.example}}]}")]
    [InlineData("{hosts: ['*.example'], filters: [{redirect: {host: a.example}}]}")]
    [InlineData("{path: {exact: /a}, filters: [{redirect: {path: {full: /b}}}]}")]
    [InlineData("{path: {prefix: /a}, filters: [{redirect: {path: {full: /a}}}]}")]
    [InlineData("{path: {prefix: /a}, filters: [{redirect: {path: {prefix: /b}}}]}")]
    public void A_redirect_that_may_lead_elsewhere_is_not(string route) => Assert.Empty(Faults(route));

    [Theory]
    [InlineData("{filters: [{redirect: {host: x}}], backend: b}", "routes[0].backend", "a route that redirects asks no backend; remove one")]
    [InlineData("{filters: [{redirect: {host: x}}], backends: [{name: b}]}", "routes[0].backends", "a route that redirects asks no backend; remove one")]
    [InlineData("{filters: [{responseHeaders: {remove: [a]}}]}", "routes[0].backend", "is required")]
    [InlineData("{filters: [{redirect: {host: x}}, {responseHeaders: {remove: [a]}}]}", "routes[0].filters[1].responseHeaders", "a route that redirects asks no endpoint")]
    public void A_route_has_a_backend_or_redirects(string route, string key, string message) => Expect(route, key, message);

    private static void Expect(string route, string key, string message)
    {
        var fault = Assert.Single(Faults(route));
        Assert.Equal(key, fault.Key);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.Equal(2, fault.Line);
        Assert.InRange(fault.Message.Length, 10, 400);
    }

    private static IReadOnlyList<ConfigurationFault> Faults(string routes) => Result(routes).Faults;

    private static IReadOnlyList<RouteOptions> Read(string routes)
    {
        var result = Result(routes);
        Assert.Empty(result.Faults);
        return result.Configuration!.Routes;
    }

    private static ConfigurationResult Result(string routes) => ConfigurationReader.Read(
        $"{Listeners}\nroutes: [{routes}]\nbackends: {{b: {{endpoints: [h:1], auth: {{url: 'http://auth', copyHeaders: [x-user]}}}}, c: {{endpoints: [h:2]}}}}", "f");
}
