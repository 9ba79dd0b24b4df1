using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Discovery;
using Xunit;

namespace Holdfast.Tests.Discovery;

/// <summary>resolv.conf and hosts as glibc reads them, and the names that a name may mean.</summary>
public sealed class ResolvConfTests
{
    private const string Kubernetes = """
        search default.svc.cluster.local svc.cluster.local cluster.local eu-west-1.compute.internal
        nameserver 10.96.0.10
        options ndots:5
        """;

    [Fact]
    public void An_empty_file_has_glibcs_defaults()
    {
        var conf = ResolvConf.Parse("", "host");
        Assert.Equal("127.0.0.1:53", Assert.Single(conf.Servers).ToString());
        Assert.Empty(conf.Search);
        Assert.Equal((1, TimeSpan.FromSeconds(5), 2, false), (conf.Ndots, conf.Timeout, conf.Attempts, conf.UseTcp));
    }

    [Fact]
    public void A_pods_file_is_read()
    {
        var conf = ResolvConf.Parse(Kubernetes, "gateway-7f.example.com");
        Assert.Equal("10.96.0.10:53", Assert.Single(conf.Servers).ToString());
        Assert.Equal(["default.svc.cluster.local", "svc.cluster.local", "cluster.local", "eu-west-1.compute.internal"], conf.Search);
        Assert.Equal(5, conf.Ndots);
    }

    [Theory]
    [InlineData("nameserver 1.1.1.1\nnameserver ::1\nnameserver x\nnameserver 2.2.2.2\nnameserver 3.3.3.3", "1.1.1.1:53 [::1]:53 2.2.2.2:53")]
    [InlineData("# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n\tnameserver\t2.2.2.2\t# two\r\n", "2.2.2.2:53")]
    [InlineData("nameserver\nnameservers 1.1.1.1\n", "127.0.0.1:53")]
    public void Servers(string text, string expected) => Assert.Equal(expected, string.Join(' ', ResolvConf.Parse(text, "h").Servers));

    [Theory]
    [InlineData("", "gw.Example.com.", "example.com")]
    [InlineData("domain a.test", "gw.example.com", "a.test")]
    [InlineData("search a.test B.test. .\n", "gw", "a.test,b.test,")]
    [InlineData("search a.test\ndomain b.test", "gw", "b.test")]
    [InlineData("domain b.test\nsearch a.test c.test", "gw", "a.test,c.test")]
    [InlineData("search", "gw.example.com", "example.com")]
    public void Search_domains(string text, string host, string expected) => Assert.Equal(expected, string.Join(',', ResolvConf.Parse(text, host).Search));

    [Theory]
    [InlineData("ndots:3 timeout:2 attempts:4 use-vc", 3, 2, 4, true)]
    [InlineData("ndots:99 timeout:99 attempts:99", 15, 30, 5, false)]
    [InlineData("ndots:0 timeout:0 attempts:0", 0, 1, 1, false)]
    [InlineData("ndots:-1 timeout: attempts:x rotate edns0 :", 1, 5, 2, false)]
    [InlineData("ndots:99999999999", 1, 5, 2, false)]
    public void Options(string options, int ndots, int timeout, int attempts, bool tcp)
    {
        var conf = ResolvConf.Parse("options " + options, "h");
        Assert.Equal((ndots, timeout, attempts, tcp), (conf.Ndots, (int)conf.Timeout.TotalSeconds, conf.Attempts, conf.UseTcp));
    }

    [Fact]
    public void Any_text_gives_something_within_bounds() => Prop.ForAll<string, int>((garbage, seed) =>
    {
        string[] words = ["nameserver", "search", "options", "ndots:5", "10.0.0.1", "a.b", ".", "#", "\t", "\n", " ", garbage ?? ""];
        var random = new Random(seed);
        var text = string.Concat(Enumerable.Range(0, 300).Select(_ => words[random.Next(words.Length)] + (random.Next(2) == 0 ? " " : "\n")));
        var conf = ResolvConf.Parse(text, garbage ?? "");
        Assert.InRange(conf.Servers.Count, 1, 3);
        Assert.InRange(conf.Search.Count, 0, 32);
        Assert.NotEmpty(SearchList.Of("chat", conf, null));
        _ = new HostsFile(text).Find("a.b");
    }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true));

    [Theory]
    [InlineData("chat", "chat.default.svc.cluster.local chat.svc.cluster.local chat.cluster.local chat.eu-west-1.compute.internal chat")]
    [InlineData("chat.default.svc", "chat.default.svc.default.svc.cluster.local chat.default.svc.svc.cluster.local chat.default.svc.cluster.local chat.default.svc.eu-west-1.compute.internal chat.default.svc")]
    [InlineData("chat.default.svc.cluster.local.", "chat.default.svc.cluster.local")]
    [InlineData("a.b.c.d.e.f", "a.b.c.d.e.f a.b.c.d.e.f.default.svc.cluster.local a.b.c.d.e.f.svc.cluster.local a.b.c.d.e.f.cluster.local a.b.c.d.e.f.eu-west-1.compute.internal")]
    public void Names_are_searched_in_glibcs_order(string name, string expected) =>
        Assert.Equal(expected, string.Join(' ', SearchList.Of(name, ResolvConf.Parse(Kubernetes, "h"), null).Select(n => n.Name)));

    [Fact]
    public void A_name_is_not_searched_for_beyond_the_one_that_was_found()
    {
        var conf = ResolvConf.Parse(Kubernetes, "h");
        Assert.Equal(["chat.default.svc.cluster.local", "chat.svc.cluster.local"], SearchList.Of("chat", conf, "chat.svc.cluster.local").Select(n => n.Name.ToString()));
        Assert.Equal(5, SearchList.Of("chat", conf, "chat.of.an.older.file").Count);
    }

    [Fact]
    public void A_domain_that_makes_the_name_too_long_is_passed_over()
    {
        var conf = new ResolvConf { Search = [string.Join('.', Enumerable.Repeat(new string('x', 60), 4)), "test"] };
        Assert.Equal([(new string('a', 20) + ".test", true), (new string('a', 20), false)], SearchList.Of(new string('a', 20), conf, null).Select(n => (n.Name.ToString(), n.IsSearched)));
    }

    [Theory]
    [InlineData("laptop", "10.0.0.1", "")]
    [InlineData("LAPTOP.", "10.0.0.1", "")]
    [InlineData("two", "10.0.0.1 10.0.0.2", "fd00::2")]
    [InlineData("commented", null, null)]
    [InlineData("lap", null, null)]
    [InlineData("blocked", "", "")]
    [InlineData("localhost", "127.0.0.1", "")]
    [InlineData("app.localhost", "127.0.0.1", "::1")]
    [InlineData("broken", null, null)]
    public void Hosts(string name, string? v4, string? v6)
    {
        const string Text = """
            127.0.0.1 localhost
            10.0.0.1	laptop  two # commented
            10.0.0.2 two
            fd00::2 two two
            10.0.0.2 TWO
            0.0.0.0 blocked
            10.0.0.999 broken
            # 10.0.0.3 commented
            """;
        var answer = new HostsFile(Text).Find(name);
        Assert.Equal((v4, v6), (answer is null ? null : string.Join(' ', answer.V4.Addresses), answer is null ? null : string.Join(' ', answer.V6.Addresses)));
    }
}
