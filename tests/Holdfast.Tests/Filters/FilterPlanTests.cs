using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Filters;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Xunit;

namespace Holdfast.Tests.Filters;

public class FilterPlanTests
{
    [Theory]
    // The table of Gateway API's HTTPPathModifier.
    [InlineData("/foo/bar", "/foo", "/xyz", "/xyz/bar")]
    [InlineData("/foo/bar", "/foo", "/xyz/", "/xyz/bar")]
    [InlineData("/foo/bar", "/foo/", "/xyz", "/xyz/bar")]
    [InlineData("/foo/bar", "/foo/", "/xyz/", "/xyz/bar")]
    [InlineData("/foo", "/foo", "/xyz", "/xyz")]
    [InlineData("/foo/", "/foo", "/xyz", "/xyz/")]
    [InlineData("/foo/", "/foo", "/", "/")]
    [InlineData("/foo", "/foo", "/", "/")]
    // And what it leaves open.
    [InlineData("/foo/bar", "/foo", "/", "/bar")]
    [InlineData("/foo/", "/foo/", "/xyz/", "/xyz/")]
    [InlineData("/foo", "/foo/", "/xyz", "/xyz")]
    [InlineData("/", "/", "/xyz", "/xyz/")]
    [InlineData("/a", "/", "/xyz", "/xyz/a")]
    [InlineData("/a", "/", "/", "/a")]
    [InlineData("/foo//bar", "/foo", "/xyz", "/xyz//bar")]
    [InlineData("/foo/%2e%2e/%2Fb/../c", "/foo", "/xyz", "/xyz/%2e%2e/%2Fb/../c")]
    [InlineData("/foo/bar?a=/foo&b=%20?", "/foo", "/xyz", "/xyz/bar?a=/foo&b=%20?")]
    [InlineData("/foo?", "/foo", "/xyz", "/xyz?")]
    [InlineData("/foo?a", "/foo", "/", "/?a")]
    public void A_prefix_is_replaced_by_whole_elements_and_the_query_stays(string target, string prefix, string replacement, string expected) =>
        Assert.Equal(expected, TargetOf(Plan(new(PathRewriteKind.Prefix, replacement), prefix), target));

    [Theory]
    [InlineData("/a", "/x", "/x")]
    [InlineData("/a/b?c=d", "/x/y/", "/x/y/?c=d")]
    [InlineData("/?", "/", "/?")]
    public void A_full_path_takes_the_place_of_the_whole(string target, string replacement, string expected) =>
        Assert.Equal(expected, TargetOf(Plan(new(PathRewriteKind.Full, replacement), "/"), target));

    [Fact]
    public void Replacing_a_prefix_and_replacing_it_back_is_nothing_done()
    {
        var elements = Gen.Elements("", "a", "..", "%2F", "b.c", "foo").ListOf();
        var cases = from rest in elements
                    from prefix in Gen.Elements("/foo", "/a/b", "/x/")
                    from other in Gen.Elements("/y", "/y/z", "/foo/foo/")
                    from query in Gen.Elements("", "?", "?a=b", "?/foo")
                    select (tail: string.Concat(rest.Select(e => "/" + e)), prefix, other, query);
        Prop.ForAll(cases.ToArbitrary(), c =>
        {
            var target = c.prefix.TrimEnd('/') + c.tail + c.query;
            var there = TargetOf(Plan(new(PathRewriteKind.Prefix, c.other), c.prefix), target);
            var back = TargetOf(Plan(new(PathRewriteKind.Prefix, c.prefix), c.other), there);
            // Only a prefix that is alone may gain a slash.
            return back == target || (c.tail.Length == 0 && (back == c.prefix + c.query || back == c.prefix.TrimEnd('/') + "/" + c.query));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Lines_are_removed_set_and_added_in_any_case_and_others_stay_in_their_order()
    {
        var plan = new FilterPlan(
            new RouteFilters
            {
                RequestHeaders = new() { Set = [new("X-Set", "new"), new("x-fresh", "a b")], Add = [new("x-list", "3"), new("X-List", "4")], Remove = ["X-Gone", "x-absent"] },
                Rewrite = new("internal:81", new(PathRewriteKind.Prefix, "/")),
            },
            new(PathMatchKind.Prefix, "/api"));
        var head = Filtered(plan, "GET /api/x?y HTTP/1.1\r\nHost: outer\r\nx-list: 1\r\nx-set: old\r\nAccept: */*\r\nX-SET: older\r\nx-gone: g\r\nx-list: 2\r\nx-gone-not: h\r\nX-Forwarded-Host: outer\r\n\r\n");
        Assert.Equal(
            "GET /x?y HTTP/1.1\r\nHost: internal:81\r\nx-list: 1\r\nAccept: */*\r\nx-list: 2\r\nx-gone-not: h\r\nX-Forwarded-Host: outer\r\n"
            + "X-Set: new\r\nx-fresh: a b\r\nx-list: 3\r\nX-List: 4\r\n\r\n",
            head);
    }

    [Fact]
    public void Without_filters_nothing_changes()
    {
        Assert.False(FilterPlan.None.ChangesRequests);
        const string Head = "POST /a?b HTTP/1.1\r\nHost: h\r\nx: y\r\nX: z\r\n\r\n";
        Assert.Equal(Head, Filtered(FilterPlan.None, Head));
        Assert.Null(FilterPlan.None.RedirectOf(Parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), isSecure: false, out _));
        Assert.Empty(FilterPlan.None.ResponseHeaders);
        Assert.True(new FilterPlan(new() { Rewrite = new("x", null) }, PathMatch.Any).ChangesRequests);
        Assert.True(new FilterPlan(new() { RequestHeaders = new() { Remove = ["a"] } }, PathMatch.Any).ChangesRequests);
        Assert.False(new FilterPlan(new() { ResponseHeaders = new() { Remove = ["a"] } }, PathMatch.Any).ChangesRequests);
    }

    [Fact]
    public void A_head_that_would_be_too_long_is_told()
    {
        var plan = new FilterPlan(new() { RequestHeaders = new() { Set = [new("a", new string('v', 4096))] } }, PathMatch.Any);
        Assert.True(IsFiltered(28_000));
        Assert.False(IsFiltered(30_000));

        bool IsFiltered(int length)
        {
            var output = new ByteBuffer();
            output.Append(Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: h\r\nx: {new string('v', length)}\r\n\r\n"));
            return UpgradeHeads.Filter(output, new RequestHead(), plan);
        }
    }

    [Fact]
    public void Answers_lose_and_gain_lines_too()
    {
        var plan = new FilterPlan(
            new() { ResponseHeaders = new() { Set = [new("Server", "x")], Add = [new("vary", "origin")], Remove = ["X-Powered-By"] } }, PathMatch.Any);
        Assert.Equal([true, true, false, false], ((string[])["SERVER", "x-powered-by", "vary", "via"]).Select(n => plan.DropsResponseHeader(Encoding.ASCII.GetBytes(n))));
        var output = new ByteBuffer();
        plan.AppendResponseHeaders(output);
        Assert.Equal("Server: x\r\nvary: origin\r\n", Encoding.ASCII.GetString(output.Bytes));
        Assert.Equal([KeyValuePair.Create("Server", "x"), KeyValuePair.Create("vary", "origin")], plan.ResponseHeaders);
    }

    [Fact]
    public void Changing_a_head_allocates_nothing_once_the_buffers_have_grown()
    {
        var plan = new FilterPlan(
            new()
            {
                RequestHeaders = new() { Set = [new("a", "b")], Remove = ["c"] },
                ResponseHeaders = new() { Set = [new("a", "b")] },
                Rewrite = new("i", new(PathRewriteKind.Prefix, "/x")),
            },
            PathMatch.Any);
        byte[] head = [.. "GET /y?z HTTP/1.1\r\nHost: h\r\na: 1\r\nc: d\r\n\r\n"u8];
        var (output, scratch) = (new ByteBuffer(), new RequestHead());
        Allocations.AssertNone(() =>
        {
            output.Clear();
            output.Append(head);
            Assert.True(UpgradeHeads.Filter(output, scratch, plan));
            _ = plan.DropsResponseHeader("a"u8);
            plan.AppendResponseHeaders(output);
        });
    }

    private static FilterPlan Plan(PathRewrite path, string prefix) => new(new RouteFilters { Rewrite = new(null, path) }, new(PathMatchKind.Prefix, prefix));

    private static string TargetOf(FilterPlan plan, string target)
    {
        var output = new ByteBuffer();
        plan.AppendTarget(output, Parse($"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        return Encoding.ASCII.GetString(output.Bytes);
    }

    private static string Filtered(FilterPlan plan, string head)
    {
        var output = new ByteBuffer();
        output.Append(Encoding.ASCII.GetBytes(head));
        Assert.True(UpgradeHeads.Filter(output, new RequestHead(), plan));
        return Encoding.ASCII.GetString(output.Bytes);
    }

    private static RequestHead Parse(string text)
    {
        var head = new RequestHead();
        Assert.Equal(HeadFault.None, head.Parse(Encoding.ASCII.GetBytes(text)));
        return head;
    }
}
