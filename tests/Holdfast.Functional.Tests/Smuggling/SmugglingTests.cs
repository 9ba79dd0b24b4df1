namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>
/// Every case, in every placement: the endpoint sees what the suite's own strict reader makes of the bytes, and nothing else; each client gets its own answers; the gateway lives
/// and keeps nothing.
/// </summary>
public sealed class SmugglingTests(SmugglingFixture fixture) : IClassFixture<SmugglingFixture>
{
    /// <summary>First on its connection a loop decides what a request is; on one that is kept alive, the guard before Kestrel.</summary>
    [Theory]
    [InlineData('a', false, false)]
    [InlineData('b', true, false)]
    [InlineData('A', false, true)]
    [InlineData('B', true, true)]
    public async Task The_endpoint_sees_only_what_the_gateway_saw(char letter, bool keptAlive, bool cut)
    {
        await new SmugglingRun(new Placement(letter, fixture.Gateway.Address, keptAlive, cut), fixture.Endpoint).RunAsync(CaseCatalog.All);
        await fixture.SettledAsync();
    }

    [Theory]
    [InlineData('e', false, false)]
    [InlineData('E', true, true)]
    public async Task Over_TLS_the_same(char letter, bool keptAlive, bool cut)
    {
        var placement = new Placement(letter, fixture.TlsAddress, keptAlive, cut) { Authority = fixture.Authority };
        await new SmugglingRun(placement, fixture.Endpoint).RunAsync(CaseCatalog.All);
        await fixture.SettledAsync();
    }

    [Theory]
    [InlineData('c', "nginx")]
    [InlineData('d', "haproxy")]
    public async Task Behind_a_proxy_that_shares_its_connections_the_endpoint_sees_only_what_the_proxy_saw(char letter, string proxy)
    {
        await using (var front = proxy == "nginx" ? await SharingFront.StartNginxAsync(fixture.Gateway.Address) : await SharingFront.StartHaproxyAsync(fixture.Gateway.Address))
            await new ProxiedRun(new Placement(letter, front.Address), fixture.Endpoint).RunAsync(CaseCatalog.All);
        await fixture.SettledAsync();
    }

    [Fact]
    public async Task Over_HTTP_2_no_header_target_or_length_becomes_another_request()
    {
        await new Http2Run(new Placement('h', fixture.TlsAddress) { Authority = fixture.Authority, Protocol = "h2" }, fixture.Endpoint).RunAsync(Http2Catalog.All);
        await fixture.SettledAsync();
    }
}
