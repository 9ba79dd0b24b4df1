using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Routing;
using Xunit;
using static Holdfast.Tests.Routing.Tables;

namespace Holdfast.Tests.Routing;

public class RouteTableTests
{
    [Theory]
    [InlineData("a.example", 0)]
    [InlineData("A.Example", 0)]
    [InlineData("a.example:8080", 0)]
    [InlineData("a.example.", 0)]
    [InlineData("a.example.:80", 0)]
    [InlineData("b.example", 1)]
    [InlineData("x.b.example", 2)]
    [InlineData("x.y.b.example", 2)]
    [InlineData("c.b.example", 3)]
    [InlineData("x.c.b.example", 4)]
    [InlineData("example", 5)]
    [InlineData(".b.example", 1)]
    [InlineData("a.example..", 5)]
    [InlineData("", 5)]
    [InlineData(".", 5)]
    [InlineData(":80", 5)]
    [InlineData("[::1]:80", 5)]
    [InlineData("127.0.0.1", 5)]
    public void The_most_specific_host_wins(string host, int route)
    {
        var table = Build(Route("a.example"), Route("*.example"), Route("*.b.example"), Route("c.b.example"), Route("*.c.b.example"), Route());
        Assert.Equal(route, new Request(host, "/").MatchedBy(table));
    }

    [Fact]
    public void A_wildcard_does_not_match_its_bare_domain() => Assert.Equal(-1, new Request("b.example", "/").MatchedBy(Build(Route("*.b.example"))));

    [Fact]
    public void A_host_too_long_to_be_a_name_matches_only_routes_without_hosts()
    {
        var host = new string('a', 300) + ".example";
        Assert.Equal(-1, new Request(host, "/").MatchedBy(Build(Route("*.example"))));
        Assert.Equal(0, new Request(host, "/").MatchedBy(Build(Route())));
    }

    [Theory]
    [InlineData("/ws", 0)]
    [InlineData("/ws/", 1)]
    [InlineData("/ws/x", 1)]
    [InlineData("/ws/x/y", 2)]
    [InlineData("/ws/x/yz", 1)]
    [InlineData("/wsx", 3)]
    [InlineData("/WS", 3)]
    [InlineData("/ws%2Fx", 3)]
    [InlineData("/%77s", 3)]
    [InlineData("//ws", 3)]
    [InlineData("/ws?x=/ws/x/y", 0)]
    [InlineData("/", 3)]
    [InlineData("*", -1)]
    public void Exact_paths_come_before_the_longest_prefix_of_whole_elements(string target, int route)
    {
        var table = Build(Route(exact: "/ws"), Route(prefix: "/ws"), Route(prefix: "/ws/x/y/"), Route());
        Assert.Equal(route, new Request("h", target).MatchedBy(table));
    }

    [Fact]
    public void The_host_decides_before_the_path()
    {
        var table = Build(Route("*.example", exact: "/long/path"), Route("a.example", prefix: "/"));
        Assert.Equal(1, new Request("a.example", "/long/path").MatchedBy(table));
    }

    [Fact]
    public void A_less_specific_host_serves_what_no_route_of_the_specific_one_matches()
    {
        var table = Build(Route("a.example", prefix: "/ws"), Route("*.example", prefix: "/api"), Route());
        Assert.Equal(0, new Request("a.example", "/ws").MatchedBy(table));
        Assert.Equal(1, new Request("a.example", "/api").MatchedBy(table));
        Assert.Equal(2, new Request("a.example", "/else").MatchedBy(table));
    }

    [Fact]
    public void Then_come_methods_then_most_headers_then_most_query_parameters_then_the_first()
    {
        NameValueMatch[] one = [new("x-a", "1")];
        NameValueMatch[] two = [new("x-a", "1"), new("x-b", "2")];
        NameValueMatch[] query = [new("q", "1")];
        var table = Build(
            Route(),
            Route() with { Query = query },
            Route() with { Headers = one },
            Route() with { Headers = two },
            Route() with { Methods = ["PUT"] },
            Route() with { Headers = one, Query = query },
            Route() with { Headers = one, Query = query });

        Assert.Equal(0, new Request("h", "/").MatchedBy(table));
        Assert.Equal(1, new Request("h", "/?q=1").MatchedBy(table));
        Assert.Equal(2, new Request("h", "/", "GET", ("X-A", "1")).MatchedBy(table));
        Assert.Equal(3, new Request("h", "/?q=1", "GET", ("X-A", "1"), ("X-B", "2")).MatchedBy(table));
        Assert.Equal(4, new Request("h", "/?q=1", "PUT", ("X-A", "1"), ("X-B", "2")).MatchedBy(table));
        Assert.Equal(5, new Request("h", "/?q=1", "GET", ("X-A", "1")).MatchedBy(table));
        Assert.Equal(0, new Request("h", "/", "put").MatchedBy(table));
        Assert.Equal(0, new Request("h", "/", "GET", ("X-A", "2")).MatchedBy(table));
    }

    [Theory]
    [InlineData("/?q=1", true)]
    [InlineData("/?a&q=1&b=2", true)]
    [InlineData("/?q=1&q=2", true)]
    [InlineData("/?q=2&q=1", false)]
    [InlineData("/?Q=1", false)]
    [InlineData("/?q=%31", false)]
    [InlineData("/?q", false)]
    [InlineData("/?qq=1", false)]
    [InlineData("/?q=1?", false)]
    [InlineData("/", false)]
    public void A_query_parameter_is_compared_as_sent_and_the_first_counts(string target, bool matches) =>
        Assert.Equal(matches ? 0 : -1, new Request("h", target).MatchedBy(Build(Route() with { Query = [new("q", "1")] })));

    [Theory]
    [InlineData("/?q", true)]
    [InlineData("/?q=", true)]
    [InlineData("/?", false)]
    public void An_empty_parameter_can_be_asked_for(string target, bool matches) =>
        Assert.Equal(matches ? 0 : -1, new Request("h", target).MatchedBy(Build(Route() with { Query = [new("q", "")] })));

    [Fact]
    public void Backends_are_chosen_by_weight_and_never_at_weight_zero()
    {
        var table = Build(Route() with { Backends = [new("a", 0), new("b", 90), new("c", 0), new("d", 10), new("e", 0)] });
        var random = new Random(5);
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < 100_000; i++)
        {
            var name = table.Routes[0].Choose(random)!.Name;
            counts[name] = counts.GetValueOrDefault(name) + 1;
        }

        Assert.Equal(["b", "d"], counts.Keys.Order(StringComparer.Ordinal));
        Assert.InRange(counts["d"], 9_500, 10_500);
    }

    [Fact]
    public void Without_any_weight_there_is_no_backend() =>
        Assert.Null(Build(Route() with { Backends = [new("a", 0)] }).Routes[0].Choose(new Random(1)));

    [Theory]
    [InlineData("web", "/ws", 1)]
    [InlineData("tls", "/ws", 2)]
    [InlineData("Tls", "/ws", 0)]
    [InlineData("other", "/ws", 0)]
    [InlineData("tls", "/x", 0)]
    [InlineData("web", "/x", 3)]
    [InlineData(null, "/ws", 0)]
    [InlineData(null, "/x", 0)]
    public void A_route_that_names_listeners_is_passed_over_on_others(string? listener, string path, int route)
    {
        var table = Build(
            Route(),
            Route(prefix: "/ws") with { Listeners = ["web"] },
            Route(prefix: "/ws") with { Listeners = ["tls", "mesh"] },
            Route(exact: "/x") with { Listeners = ["web"] });
        Assert.Equal(route, new Request("h", path) { Listener = listener }.MatchedBy(table));
    }

    [Fact]
    public void A_route_that_redirects_has_no_backend() =>
        Assert.Null(Build(Route() with { Backends = [], Filters = new() { Redirect = new("https", null, null, null) } }).Routes[0].Choose(new Random(1)));

    [Fact]
    public void A_look_up_allocates_nothing()
    {
        var table = Build(
            Route("a.example", prefix: "/ws") with { Headers = [new("x-a", "1")], Query = [new("q", "1")], Methods = ["GET"] },
            Route("*.example", exact: "/ws/room"),
            Route("*.b.example"),
            Route() with { Backends = [new("a"), new("b")] });
        var headers = new HeaderLines([("X-A", "2")]);
        byte[] host = [.. "a.example:80"u8], path = [.. "/ws/room"u8], query = [.. "x=2&q=1"u8];
        var random = new Random(1);

        Allocations.AssertNone(() =>
        {
            Assert.True(table.TryMatch(new RequestView { Method = "GET"u8, Host = host, Path = path, Query = query, Headers = headers }, out var route));
            Assert.NotNull(route.Choose(random));
        });
    }

    [Fact]
    public void A_long_path_of_many_elements_costs_no_more_than_the_configured_lengths()
    {
        var table = Build(Route(prefix: "/a"), Route(prefix: "/a/a/a"), Route(exact: "/x"));
        var path = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("/a", 16_000)));
        Assert.True(table.TryMatch(new RequestView { Method = "GET"u8, Host = "h"u8, Path = path }, out var route));
        Assert.Equal(1, route.Index);
    }
}
