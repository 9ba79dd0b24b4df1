using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Filters;
using Holdfast.Gateway.Listeners;
using Holdfast.Wire.Http1;
using Xunit;

namespace Holdfast.Tests.Filters;

public class RedirectTests
{
    private static readonly RedirectFilter ToHttps = new("https", null, null, null, 308);
    private static readonly RedirectFilter ToHost = new(null, "other.example", null, null);

    [Theory]
    // A scheme: its own port, which is never written.
    [InlineData("a.example", "https://a.example/x?y=%20")]
    [InlineData("a.example:80", "https://a.example/x?y=%20")]
    [InlineData("a.example:8080", "https://a.example/x?y=%20")]
    [InlineData("A.Example.:8080", "https://A.Example./x?y=%20")]
    [InlineData("10.0.0.1:8080", "https://10.0.0.1/x?y=%20")]
    [InlineData("[::1]", "https://[::1]/x?y=%20")]
    [InlineData("[2001:db8::1]:8080", "https://[2001:db8::1]/x?y=%20")]
    [InlineData("a%20b", "https://a%20b/x?y=%20")]
    public void To_https(string host, string expected) => Assert.Equal((expected, 308), Location(ToHttps, host, isSecure: false));

    [Theory]
    // No scheme: the request's own, and the port that it came by.
    [InlineData("a.example", false, "http://other.example/x?y=%20")]
    [InlineData("a.example:80", false, "http://other.example/x?y=%20")]
    [InlineData("a.example:443", false, "http://other.example:443/x?y=%20")]
    [InlineData("a.example:8080", false, "http://other.example:8080/x?y=%20")]
    [InlineData("a.example", true, "https://other.example/x?y=%20")]
    [InlineData("a.example:443", true, "https://other.example/x?y=%20")]
    [InlineData("a.example:80", true, "https://other.example:80/x?y=%20")]
    [InlineData("[::1]:8443", true, "https://other.example:8443/x?y=%20")]
    [InlineData("a.example:0", true, "https://other.example/x?y=%20")]
    public void To_another_host(string host, bool isSecure, string expected) => Assert.Equal((expected, 302), Location(ToHost, host, isSecure));

    [Theory]
    [InlineData("https", null, 8443, "https://a.example:8443/x?y=%20")]
    [InlineData("https", null, 443, "https://a.example/x?y=%20")]
    [InlineData("https", null, 80, "https://a.example:80/x?y=%20")]
    [InlineData("http", null, 80, "http://a.example/x?y=%20")]
    [InlineData(null, null, 80, "http://a.example/x?y=%20")]
    [InlineData(null, null, 9000, "http://a.example:9000/x?y=%20")]
    [InlineData(null, "[::2]", 9000, "http://[::2]:9000/x?y=%20")]
    public void To_a_port(string? scheme, string? host, int port, string expected) =>
        Assert.Equal(expected, Location(new(scheme, host, port, null), "a.example:8080", isSecure: false).Location);

    [Theory]
    [InlineData(PathRewriteKind.Prefix, "/y", "/x/z?q", "http://a/y/z?q")]
    [InlineData(PathRewriteKind.Prefix, "/", "/x", "http://a/")]
    [InlineData(PathRewriteKind.Full, "/y", "/x/z?q", "http://a/y?q")]
    [InlineData(PathRewriteKind.Prefix, "/", "/x//evil.example/", "http://a//evil.example/")]
    public void To_a_path(PathRewriteKind kind, string value, string target, string expected) =>
        Assert.Equal(expected, Of(new(null, null, null, new(kind, value)), $"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n", isSecure: false, isTrusted: false, "/x"));

    [Theory]
    [InlineData("X-Forwarded-Host: outer.example:8443", true, "https://outer.example:8443/x?y=%20")]
    [InlineData("X-Forwarded-Host: outer.example:8443", false, "https://inner:81/x?y=%20")]
    [InlineData("X-Forwarded-Host: outer.example, proxy.example", true, "https://inner:81/x?y=%20")]
    [InlineData("X-Forwarded-Host: outer.example/evil", true, "https://inner:81/x?y=%20")]
    [InlineData("X-Forwarded-Host:", true, "https://inner:81/x?y=%20")]
    public void The_clients_own_host_counts_as_far_as_it_is_believed(string line, bool isTrusted, string expected) => Assert.Equal(
        expected,
        Of(new(null, null, null, new(PathRewriteKind.Full, "/x")), $"GET /z?y=%20 HTTP/1.1\r\nHost: inner:81\r\n{line}\r\n\r\n", isSecure: true, isTrusted));

    [Fact]
    public void Without_any_host_there_is_no_redirect_that_could_name_one()
    {
        Assert.Null(Of(ToHttps, "GET //evil.example/ HTTP/1.0\r\n\r\n", isSecure: false, isTrusted: false));
        Assert.Equal("http://other.example//evil.example/", Of(ToHost, "GET //evil.example/ HTTP/1.0\r\n\r\n", isSecure: false, isTrusted: false));
    }

    [Fact]
    public void Nothing_that_the_strict_rules_let_pass_can_break_the_header_or_leave_the_host()
    {
        var cases = from host in Gen.Elements("a", "[::1]", "a:1", "%0d%0a", "x'y", "~", "a;b,c=d", "$&()*+!", "[::1]:65535", "1.2.3.4:0")
                    from bytes in Gen.Choose(33, 126).Where(b => b != '#').ListOf()
                    from isSecure in Gen.Elements(true, false)
                    from redirect in Gen.Elements(ToHttps, new RedirectFilter(null, null, 81, null), new RedirectFilter("http", null, null, new PathRewrite(PathRewriteKind.Prefix, "/y")))
                    select (host, target: "/" + new string([.. bytes.Select(b => (char)b)]), isSecure, redirect);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            Assert.True(HeadRules.IsHost(Encoding.ASCII.GetBytes(c.host)));
            var location = Of(c.redirect, $"GET {c.target} HTTP/1.1\r\nHost: {c.host}\r\n\r\n", c.isSecure, isTrusted: false)!;
            var authority = location[(location.IndexOf("://", StringComparison.Ordinal) + 3)..];
            authority = authority[..authority.IndexOf('/', StringComparison.Ordinal)];
            return location.All(b => b is > ' ' and < '\u007F') && HeadRules.IsHost(Encoding.ASCII.GetBytes(authority))
                && authority.StartsWith(c.host.StartsWith('[') ? "[::1]" : c.host.Split(':')[0], StringComparison.Ordinal);
        }).QuickCheckThrowOnFailure();
    }

    private static (string? Location, int Status) Location(RedirectFilter redirect, string host, bool isSecure)
    {
        var head = new RequestHead();
        Assert.Equal(HeadFault.None, head.Parse(Encoding.ASCII.GetBytes($"GET /x?y=%20 HTTP/1.1\r\nHost: {host}\r\n\r\n")));
        return (new FilterPlan(new() { Redirect = redirect }, PathMatch.Any).RedirectOf(head, isSecure, out var status), status);
    }

    private static string? Of(RedirectFilter redirect, string request, bool isSecure, bool isTrusted, string prefix = "/")
    {
        var head = new RequestHead();
        Assert.Equal(HeadFault.None, head.Parse(Encoding.ASCII.GetBytes(request)));
        return new FilterPlan(new() { Redirect = redirect }, new(PathMatchKind.Prefix, prefix)).RedirectOf(head, isSecure, out _, isTrusted);
    }
}
