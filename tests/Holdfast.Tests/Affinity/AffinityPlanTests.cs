using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Affinity;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Affinity;

public sealed class AffinityPlanTests
{
    [Fact]
    public void Without_affinity_nothing_is_known_of_a_request() =>
        Assert.Equal(AffinityKey.None, New(AffinityKind.None).KeyOf("room=1", headers: [("x-room", "1"), ("cookie", "holdfast=x")]));

    [Fact]
    public void A_header_is_known_by_the_exact_bytes_of_its_first_line_whatever_the_case_of_its_name()
    {
        var plan = New(AffinityKind.Header, "X-Room");
        var key = plan.KeyOf(headers: [("X-ROOM", "blue"), ("x-room", "red")]);
        Assert.NotNull(key.Hash);
        Assert.Equal(0UL, key.Tag);
        Assert.Equal(key, plan.KeyOf("other", "192.0.2.9:9", headers: [("x-room", "blue")]));
        Assert.NotEqual(key, plan.KeyOf(headers: [("x-room", "Blue")]));
        Assert.Equal(AffinityKey.None, plan.KeyOf(headers: [("x-other", "blue")]));
        Assert.Equal(AffinityKey.None, plan.KeyOf(headers: [("x-room", "")]));
    }

    [Fact]
    public void A_query_parameter_is_known_by_the_raw_bytes_of_its_first_value()
    {
        var plan = New(AffinityKind.Query, "room");
        var key = plan.KeyOf("a=b&room=blue&room=red");
        Assert.NotNull(key.Hash);
        Assert.Equal(key, plan.KeyOf("room=blue"));
        Assert.NotEqual(key, plan.KeyOf("room=bl%75e"));
        foreach (var none in new[] { "", "Room=blue", "room", "room=", "room=&room=blue", "xroom=blue" })
            Assert.Equal(AffinityKey.None, plan.KeyOf(none));
    }

    [Fact]
    public void A_client_address_is_known_without_its_port_and_by_its_slash_64()
    {
        var plan = New(AffinityKind.ClientAddress);
        var key = plan.KeyOf(client: "192.0.2.1:1");
        Assert.NotNull(key.Hash);
        Assert.Equal(key, plan.KeyOf(client: "192.0.2.1:2"));
        Assert.NotEqual(key, plan.KeyOf(client: "192.0.2.2:1"));
        Assert.Equal(plan.KeyOf(client: "[2001:db8:1:2::1]:1"), plan.KeyOf(client: "[2001:db8:1:2::ffff]:1"));
    }

    [Theory]
    [InlineData(AffinityKind.None)]
    [InlineData(AffinityKind.Header)]
    [InlineData(AffinityKind.Query)]
    [InlineData(AffinityKind.Cookie)]
    public void Balancing_by_hash_takes_the_client_address_where_there_is_no_key(AffinityKind kind)
    {
        var plan = new AffinityPlan(Requests.Options(kind, "room") with { LoadBalancing = LoadBalancingPolicy.ConsistentHash });
        Assert.Equal(New(AffinityKind.ClientAddress).KeyOf(), plan.KeyOf());
    }

    [Fact]
    public void Gateways_and_restarts_agree_on_hashes() => Assert.Equal(
        0x16477688C0E00699UL, New(AffinityKind.Header, "x-room").KeyOf(headers: [("x-room", "blue")]).Hash!.Value);

    [Fact]
    public void The_first_good_cookie_of_the_name_counts()
    {
        var plan = New(AffinityKind.Cookie);
        var (one, two) = (Endpoints.Ready(1), Endpoints.Ready(2));
        var (cookieOne, cookieTwo) = (plan.CookieFor(one).Split(';')[0], plan.CookieFor(two).Split(';')[0]);
        var planted = "holdfast=" + new string('A', AffinityCookie.Length);
        Assert.Equal(plan.TagOf(one), TagIn(cookieOne));
        Assert.Equal(plan.TagOf(one), TagIn($"a=b; {cookieOne}; {cookieTwo}"));
        Assert.Equal(plan.TagOf(two), TagIn($"{planted}; holdfast=; holdfast;;=;{cookieTwo};{cookieOne}"));
        Assert.Equal(0UL, TagIn(cookieOne.Replace("holdfast", "Holdfast", StringComparison.Ordinal)));
        Assert.Equal(0UL, TagIn(cookieOne.Replace("=", "=\"", StringComparison.Ordinal) + "\""));
        Assert.Equal(0UL, TagIn("x" + cookieOne));

        // Seven made-up ones before it are looked at, and not as many as fit into a head.
        Assert.Equal(plan.TagOf(one), TagIn(string.Join("; ", Enumerable.Repeat(planted, 7)) + "; " + cookieOne));
        Assert.Equal(0UL, TagIn(string.Join("; ", Enumerable.Repeat(planted, 8)) + "; " + cookieOne));

        ulong TagIn(string header) => plan.KeyOf(headers: [("cookie", header)]).Tag;
    }

    [Fact]
    public void A_cookie_is_set_when_the_request_has_none_of_the_endpoint()
    {
        var plan = New(AffinityKind.Cookie);
        var (one, two) = (Endpoints.Ready(1), Endpoints.Ready(2));
        Assert.True(plan.SetsCookie(AffinityKey.None, one));
        Assert.False(plan.SetsCookie(plan.Returning(one), one));
        Assert.True(plan.SetsCookie(plan.Returning(one), two));
        Assert.False(New(AffinityKind.Header, "x").SetsCookie(AffinityKey.None, one));
        Assert.Equal("", New(AffinityKind.Header, "x").CookieFor(one));
    }

    [Theory]
    [InlineData(0, SameSitePolicy.Lax, false, "; Path=/; HttpOnly; SameSite=Lax")]
    [InlineData(0, SameSitePolicy.Strict, true, "; Path=/; HttpOnly; SameSite=Strict; Secure")]
    [InlineData(90, SameSitePolicy.None, true, "; Path=/; Max-Age=90; HttpOnly; SameSite=None; Secure")]
    public void Its_attributes_are_as_configured(int ttl, SameSitePolicy sameSite, bool isSecure, string attributes)
    {
        var plan = New(AffinityKind.Cookie, cookie: new AffinityCookieOptions { Name = "sid", Ttl = TimeSpan.FromSeconds(ttl), SameSite = sameSite });
        var cookie = plan.CookieFor(Endpoints.Ready(1), isSecure);
        Assert.StartsWith("sid=", cookie, StringComparison.Ordinal);
        Assert.Equal(attributes, cookie[(4 + AffinityCookie.Length)..]);
    }

    [Fact]
    public void Its_path_is_as_configured() => Assert.Contains(
        "; Path=/chat;", New(AffinityKind.Cookie, cookie: new AffinityCookieOptions { Path = "/chat" }).CookieFor(Endpoints.Ready(1)), StringComparison.Ordinal);

    [Fact]
    public void A_cookie_that_expired_is_none()
    {
        var plan = New(AffinityKind.Cookie, cookie: new AffinityCookieOptions { Ttl = TimeSpan.FromSeconds(10) });
        var cookie = plan.CookieFor(Endpoints.Ready(1)).Split(';')[0];
        Assert.NotEqual(0UL, plan.KeyOf(now: Requests.Now + 10, headers: [("cookie", cookie)]).Tag);
        Assert.Equal(AffinityKey.None, plan.KeyOf(now: Requests.Now + 11, headers: [("cookie", cookie)]));
    }

    [Fact]
    public void A_cookie_tells_nothing_of_the_address_and_differs_each_second()
    {
        var plan = New(AffinityKind.Cookie);
        var endpoint = Endpoints.Ready(1);
        Assert.NotEqual(plan.CookieFor(endpoint), plan.CookieFor(endpoint, now: Requests.Now + 1));
        var bytes = System.Buffers.Text.Base64Url.DecodeFromChars(plan.CookieFor(endpoint).AsSpan("holdfast=".Length, AffinityCookie.Length));
        Assert.True(bytes.AsSpan().IndexOf(endpoint.Address.Ip!.GetAddressBytes()) < 0);
        Assert.True(bytes.AsSpan().IndexOf(BitConverter.GetBytes(endpoint.Hash)) < 0);
        Assert.DoesNotContain(endpoint.Hash.ToString("x16", CultureInfo.InvariantCulture), Convert.ToHexStringLower(bytes), StringComparison.Ordinal);
    }

    private static AffinityPlan New(AffinityKind kind, string name = "", AffinityCookieOptions? cookie = null) => new(Requests.Options(kind, name, cookie));
}
