using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Admission;
using Xunit;

namespace Holdfast.Tests.Admission;

public sealed class OriginRulesTests
{
    /// <summary>What no entry but <c>*</c> lets in: no browser sends it.</summary>
    public static TheoryData<string> Malformed =>
    [
        "", " ", "https://", "://example.com", "example.com", "//example.com", "https:example.com", "https:/example.com", "https://example.com/", "https://example.com/path",
        "https://example.com?", "https://example.com#", "https://user@example.com", "https://user:password@example.com", "https://example.com@evil.example",
        "https://example.com:443@evil.example", "https://evil.example\\@example.com", "https://evil.example\\.example.com", "https://example.com\0", "https://\0example.com",
        "https://example.com\0.evil.example", " https://example.com", "https://example.com ", "https://example.com evil.example", "https://exam ple.com", "https://example.com\t",
        "https://example.com, https://example.com", "https://example.com,https://evil.example", "https://evil.example https://example.com", "https://example..com", "https://.example.com",
        "https://example.com..", "https://.", "https://example.com:", "https://example.com:0", "https://example.com:0443", "https://example.com:65536", "https://example.com:443:443",
        "https://example.com:+443", "https://example.com:443x", "https://example%2ecom", "https://%65xample.com", "https://ex\u00e4mple.com", "https://[::1", "https://::1", "https://[::1]x",
        "https://[::1%25lo]", "https://[example.com]", "https://[1.2.3.4]", "NULL", "Null", "null ", "null,null", "null, https://example.com", "http s://example.com", "1https://example.com",
        "https://*.example.com", "https://*", "*",
    ];

    [Theory]
    [MemberData(nameof(Malformed))]
    public void What_is_no_origin_passes_only_where_everything_does(string origin)
    {
        Assert.False(Allows([], origin, "example.com"));
        Assert.False(Allows(["https://example.com", "example.com", "*.example.com", "https://*:*", "http://*:*", "null", "[::1]"], origin, "example.com"));
        Assert.True(Allows(["*"], origin, "example.com"));
    }

    [Theory]
    [InlineData("https://example.com", "example.com")]
    [InlineData("http://example.com", "example.com")]
    [InlineData("https://example.com:8443", "example.com")]
    [InlineData("https://example.com", "example.com:8080")]
    [InlineData("HTTPS://Example.COM", "eXAMPLE.com")]
    [InlineData("https://example.com.", "example.com")]
    [InlineData("https://example.com", "example.com.:8443")]
    [InlineData("capacitor://localhost", "localhost:8080")]
    [InlineData("http://127.0.0.1:3000", "127.0.0.1:8080")]
    [InlineData("http://[::1]:3000", "[::1]:8080")]
    [InlineData("http://[0:0:0:0:0:0:0:1]", "[::1]")]
    [InlineData("http://[2001:DB8::A]", "[2001:db8:0:0::000a]:80")]
    [InlineData("https://xn--bcher-kva.example", "XN--BCHER-KVA.example")]
    [InlineData("https://my_app.example", "my_app.example")]
    public void Without_a_list_the_host_that_was_asked_for_is_allowed(string origin, string host) => Assert.True(Allows([], origin, host));

    [Theory]
    [InlineData("null", "example.com")]
    [InlineData("null", "null")]
    [InlineData("https://evil-example.com", "example.com")]
    [InlineData("https://evilexample.com", "example.com")]
    [InlineData("https://evil.example.com", "example.com")]
    [InlineData("https://example.com.evil", "example.com")]
    [InlineData("https://example.com.evil.example", "example.com")]
    [InlineData("https://example.co", "example.com")]
    [InlineData("https://xample.com", "example.com")]
    [InlineData("https://com", "example.com")]
    [InlineData("https://example.com-evil", "example.com")]
    [InlineData("https://example.com_", "example.com")]
    [InlineData("https://www.example.com", "example.com")]
    [InlineData("https://example.com", "www.example.com")]
    [InlineData("https://xn--exmple-cua.com", "example.com")]
    [InlineData("http://127.0.0.1", "127.0.0.2")]
    [InlineData("http://127.1", "127.0.0.1")]
    [InlineData("http://2130706433", "127.0.0.1")]
    [InlineData("http://localhost", "127.0.0.1")]
    [InlineData("http://[::1]", "[::2]")]
    [InlineData("http://[::ffff:127.0.0.1]", "127.0.0.1")]
    [InlineData("https://example.com", "")]
    [InlineData("https://example.com", "example.com, evil.example")]
    [InlineData("https://example.com", "user@example.com")]
    [InlineData("https://example.com", "example.com:99999")]
    [InlineData("https://example.com", "example.com..")]
    public void Without_a_list_every_other_host_is_refused(string origin, string host) => Assert.False(Allows([], origin, host));

    [Theory]
    [InlineData("https://app.example.com", "https://app.example.com", true)]
    [InlineData("https://app.example.com", "https://APP.example.com:443", true)]
    [InlineData("https://app.example.com", "https://app.example.com.", true)]
    [InlineData("https://app.example.com", "https://app.example.com:8443", false)]
    [InlineData("https://app.example.com", "http://app.example.com", false)]
    [InlineData("https://app.example.com", "http://app.example.com:443", false)]
    [InlineData("https://app.example.com:443", "https://app.example.com", true)]
    [InlineData("http://app.example.com", "http://app.example.com:80", true)]
    [InlineData("https://app.example.com:*", "https://app.example.com:1", true)]
    [InlineData("https://app.example.com:*", "https://app.example.com", true)]
    [InlineData("app.example.com", "https://app.example.com", true)]
    [InlineData("app.example.com", "http://app.example.com:8080", true)]
    [InlineData("app.example.com", "ftp://app.example.com", false)]
    [InlineData("app.example.com", "httpsx://app.example.com", false)]
    [InlineData("app.example.com:443", "https://app.example.com", true)]
    [InlineData("app.example.com:443", "http://app.example.com", false)]
    [InlineData("app.example.com:443", "http://app.example.com:443", true)]
    [InlineData("https://*.example.com", "https://a.example.com", true)]
    [InlineData("https://*.example.com", "https://example.com", false)]
    [InlineData("https://*.example.com", "https://a.b.example.com", false)]
    [InlineData("https://*.example.com", "https://evil-example.com", false)]
    [InlineData("https://*.example.com", "https://a.example.com.evil.example", false)]
    [InlineData("https://*.example.com", "https://a.evil-example.com", false)]
    [InlineData("https://*.*.example.com", "https://a.b.example.com", true)]
    [InlineData("https://a.*.example.com", "https://a.b.example.com", true)]
    [InlineData("https://a.*.example.com", "https://b.b.example.com", false)]
    [InlineData("https://app.*", "https://app.example", true)]
    [InlineData("https://app.*", "https://app.example.com", false)]
    [InlineData("https://app.*", "https://app", false)]
    [InlineData("https://*", "https://anything.example", true)]
    [InlineData("https://*", "https://[::1]", true)]
    [InlineData("https://*", "http://anything.example", false)]
    [InlineData("https://*", "https://anything.example:8443", false)]
    [InlineData("http://localhost:*", "http://localhost:5173", true)]
    [InlineData("http://localhost:*", "http://localhost.evil.example:5173", false)]
    [InlineData("http://127.0.0.1:*", "http://127.0.0.1:5173", true)]
    [InlineData("http://127.0.0.1:*", "http://127.0.0.10:5173", false)]
    [InlineData("http://[::1]:8080", "http://[0::1]:8080", true)]
    [InlineData("http://[::1]:8080", "http://[::2]:8080", false)]
    [InlineData("http://[::1]:8080", "http://localhost:8080", false)]
    [InlineData("capacitor://localhost", "capacitor://localhost", true)]
    [InlineData("capacitor://localhost", "capacitor://localhost:1", false)]
    [InlineData("capacitor://localhost", "http://localhost", false)]
    [InlineData("null", "null", true)]
    [InlineData("null", "https://null", false)]
    [InlineData("https://null", "null", false)]
    [InlineData("*", "null", true)]
    [InlineData("*", "https://anything.example", true)]
    public void A_list_is_all_that_is_allowed(string entry, string origin, bool expected)
    {
        Assert.Equal(expected, Allows([entry], origin, "gateway.example"));
        Assert.Equal(expected, Allows(["https://other.example", entry, "https://one-more.example:1"], origin, "gateway.example"));
    }

    [Fact]
    public void With_a_list_the_host_that_was_asked_for_is_not_allowed_by_itself() =>
        Assert.False(Allows(["https://app.example.com"], "https://gateway.example", "gateway.example"));

    [Fact]
    public void Very_long_ones_are_refused()
    {
        Assert.False(Allows([], "https://" + new string('a', 30_000), "example.com"));
        Assert.False(Allows(["https://*"], "https://" + string.Concat(Enumerable.Repeat("a.", 15_000)) + "example.com", "example.com"));
        Assert.False(Allows(["https://*"], "https://" + new string('a', 64) + ".example.com", "example.com"));
        Assert.True(Allows(["https://*"], "https://" + string.Join('.', Enumerable.Repeat(new string('a', 63), 3)), "example.com"));
    }

    [Fact]
    public void Every_single_change_of_an_allowed_origin_is_refused()
    {
        const string Good = "https://app.example.com:8443";
        var changes = from at in Gen.Choose(0, Good.Length)
                      from to in Gen.Choose(0, 255)
                      from kind in Gen.Choose(0, 2)
                      select kind switch { 0 => Good.Insert(at, ((char)to).ToString()), 1 when at < Good.Length => Good.Remove(at, 1), _ => Good[..at] + (char)to + Good[Math.Min(at + 1, Good.Length)..] };
        Prop.ForAll(changes.ToArbitrary(), origin =>
            Allows(["https://app.example.com:8443"], origin, "app.example.com")
                == (origin.Equals(Good, StringComparison.OrdinalIgnoreCase) || origin.Equals("https://app.example.com.:8443", StringComparison.Ordinal)))
            .Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(20_000));
    }

    [Fact]
    public void Asking_allocates_nothing()
    {
        var (sameHost, listed) = (OriginRules.Compile([]), OriginRules.Compile(["https://app.example.com", "https://*.example.org", "http://[::1]:*"]));
        var (origin, other, host) = (Bytes("https://a.example.org"), Bytes("http://[::1]:8080"), Bytes("a.example.org"));
        Allocations.AssertNone(() => _ = sameHost.Allows(origin, host));
        Allocations.AssertNone(() => _ = listed.Allows(origin, host) && listed.Allows(other, host));
    }

    private static bool Allows(string[] entries, string origin, string host) => OriginRules.Compile(entries).Allows(Bytes(origin), Bytes(host));

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
