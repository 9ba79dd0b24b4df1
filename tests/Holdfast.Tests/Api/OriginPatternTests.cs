using System.Net;
using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Api;

public class OriginPatternTests
{
    [Theory]
    [InlineData("https://app.example.com", "https", "app.example.com", 443)]
    [InlineData("HTTPS://App.Example.COM.", "https", "app.example.com", 443)]
    [InlineData("http://app.example.com", "http", "app.example.com", 80)]
    [InlineData("http://app.example.com:80", "http", "app.example.com", 80)]
    [InlineData("https://app.example.com:8443", "https", "app.example.com", 8443)]
    [InlineData("https://app.example.com:*", "https", "app.example.com", null)]
    [InlineData("app.example.com", null, "app.example.com", null)]
    [InlineData("app.example.com:3000", null, "app.example.com", 3000)]
    [InlineData("localhost:*", null, "localhost", null)]
    [InlineData("https://*.example.com", "https", "*.example.com", 443)]
    [InlineData("*.*.example.com", null, "*.*.example.com", null)]
    [InlineData("app.*.example.com", null, "app.*.example.com", null)]
    [InlineData("https://*", "https", "", 443)]
    [InlineData("*:8080", null, "", 8080)]
    [InlineData("http://127.0.0.1:5173", "http", "127.0.0.1", 5173)]
    [InlineData("http://10.0.0.*", "http", "10.0.0.*", 80)]
    [InlineData("chrome-extension://abcdefghijklmnopabcdefghijklmnop", "chrome-extension", "abcdefghijklmnopabcdefghijklmnop", 0)]
    [InlineData("capacitor://localhost", "capacitor", "localhost", 0)]
    [InlineData("http://my_app.local", "http", "my_app.local", 80)]
    [InlineData("https://xn--bcher-kva.example", "https", "xn--bcher-kva.example", 443)]
    public void A_host(string text, string? scheme, string host, int? port)
    {
        var pattern = Parse(text);
        Assert.False(pattern.IsAny || pattern.IsNull);
        Assert.Equal((scheme, host, port), (pattern.Scheme, string.Join('.', pattern.Labels), pattern.Port));
        Assert.Null(pattern.Address);
    }

    [Theory]
    [InlineData("https://[2001:DB8::1]", "2001:db8::1", 443)]
    [InlineData("https://[2001:db8:0:0::1]:8443", "2001:db8::1", 8443)]
    [InlineData("[::1]:*", "::1", null)]
    public void An_IPv6_address(string text, string address, int? port)
    {
        var pattern = Parse(text);
        Assert.Equal((IPAddress.Parse(address), port), (pattern.Address, pattern.Port));
        Assert.Empty(pattern.Labels);
    }

    [Fact]
    public void The_two_words()
    {
        Assert.True(Parse("*") is { IsAny: true, IsNull: false });
        Assert.True(Parse("null") is { IsAny: false, IsNull: true });
        Assert.True(Parse("NULL").IsNull);
    }

    [Theory]
    [InlineData("", "is not an origin; write for example https://app.example.com")]
    [InlineData("a b", "is not an origin")]
    [InlineData("a\u0007", "is not an origin")]
    [InlineData("https://", "has no valid host; write for example https://app.example.com")]
    [InlineData("https://a/", "no path, not even '/'; write https://a")]
    [InlineData("https://a:1/x", "write https://a:1")]
    [InlineData("a/x", "write a")]
    [InlineData("https:///x", "write https://app.example.com")]
    [InlineData("https://a?b", "no path")]
    [InlineData("https://a#b", "no path")]
    [InlineData(@"https://a\b", "no path")]
    [InlineData("https://user:secret@a", "must not name a user")]
    [InlineData("https://a:0", "no port from 1 to 65535, nor '*'; write for example https://app.example.com:8443")]
    [InlineData("https://a:65536", "no port")]
    [InlineData("a:", "no port")]
    [InlineData("a:+1", "no port")]
    [InlineData("https://::1", "an IPv6 address stands in brackets")]
    [InlineData("https://[::1", "no IPv6 address in brackets; write for example https://[::1]")]
    [InlineData("https://[::1]x", "no IPv6 address in brackets")]
    [InlineData("https://[1.2.3.4]", "no IPv6 address in brackets")]
    [InlineData("https://[fe80::1%25eth0]", "no IPv6 address in brackets")]
    [InlineData("https://[]", "no IPv6 address in brackets")]
    [InlineData("[", "no IPv6 address in brackets")]
    [InlineData("https://app*.example.com", "stands for one whole label; write for example https://*.example.com")]
    [InlineData("**.example.com", "one whole label")]
    [InlineData("*://a", "leave the scheme out for http and https")]
    [InlineData("wss://a.example:1", "write https://a.example:1")]
    [InlineData("ws://a", "write http://a")]
    [InlineData("file://", "write null")]
    [InlineData("1a://b", "no valid scheme")]
    [InlineData("://b", "no valid scheme")]
    [InlineData("h_t://b", "no valid scheme")]
    [InlineData("https://bücher.example", "punycode, for example https://xn--bcher-kva.example")]
    [InlineData("https://a..b", "no valid host")]
    [InlineData("https://-a", "no valid host")]
    [InlineData("https://.", "no valid host")]
    [InlineData("http://127.1", "no IPv4 address as browsers write it; write for example http://127.0.0.1")]
    [InlineData("http://010.0.0.1", "no IPv4 address")]
    [InlineData("http://1.2.3.256", "no IPv4 address")]
    [InlineData("http://0x7f000001", "no IPv4 address")]
    [InlineData("http://example.42", "no IPv4 address")]
    public void What_is_none_says_what_would_be(string text, string problem)
    {
        Assert.False(OriginPattern.TryParse(text, out var pattern, out var told));
        Assert.Null(pattern);
        Assert.StartsWith("'", told, StringComparison.Ordinal);
        Assert.Contains(problem, told, StringComparison.Ordinal);
        Assert.DoesNotContain(told, char.IsControl);
    }

    [Theory]
    [InlineData("https://App.example.com", "https://app.example.com.:443")]
    [InlineData("app.example.com", "APP.example.com:*")]
    [InlineData("https://[::1]", "https://[0:0::1]:443")]
    [InlineData("null", "Null")]
    public void The_same_meaning_has_the_same_text(string one, string other) => Assert.Equal(Parse(one).ToString(), Parse(other).ToString());

    [Theory]
    [InlineData("https://a", "http://a")]
    [InlineData("https://a", "a")]
    [InlineData("https://a", "https://a:*")]
    [InlineData("https://*", "*")]
    [InlineData("https://*", "https://*.a")]
    public void Another_meaning_has_another_text(string one, string other) => Assert.NotEqual(Parse(one).ToString(), Parse(other).ToString());

    /// <summary>The text of an entry is an entry that means the same; nothing that is no entry throws.</summary>
    [Fact]
    public void Whatever_is_built_of_an_origins_parts_is_read_or_refused()
    {
        string[] schemes = ["", "https://", "http://", "x-y.z://", "://", "*://", "wss://"];
        string[] hosts = ["", "a", "*", "a.*", "*.a.", "a*", "[::1]", "[", "]", "[]", "[:", "1.2.3.4", "1.2.3", ".", "..", "@", "\0", "é", new string('a', 64)];
        string[] ports = ["", ":", ":1", ":*", ":65536", ":0", ":1:2", ":*:", "]:1"];
        string[] ends = ["", "/", "?", "#", "\\"];
        var read = 0;
        foreach (var text in from s in schemes from h in hosts from p in ports from e in ends select s + h + p + e)
        {
            if (!OriginPattern.TryParse(text, out var pattern, out var problem))
            {
                Assert.NotEqual("", problem);
                continue;
            }

            read++;
            Assert.Equal("", problem);
            Assert.Equal(pattern.ToString(), Parse(pattern.ToString()).ToString());
        }

        Assert.InRange(read, 50, 200);
    }

    private static OriginPattern Parse(string text)
    {
        Assert.True(OriginPattern.TryParse(text, out var pattern, out var problem), problem);
        return pattern;
    }
}
