using System.Net;
using Holdfast.Cli.Admin;
using Holdfast.Functional.Tests.Dev;

namespace Holdfast.Functional.Tests.Admin;

public sealed class AdminPollerTests
{
    private const string Ends = """
        {"ends":[{"id":"a1","time":"2026-11-20T10:00:00.5Z","backend":"app","endpoint":"127.0.0.1:5001","client":"127.0.0.1:4444","reason":"downstream_close","side":"downstream","closeCode":1000,"durationMs":1234},
                 {"id":"a0","time":"2026-11-20T09:00:00Z","backend":"app","endpoint":null,"client":"127.0.0.1:4443","reason":"upstream_reset","side":"upstream","closeCode":null,"durationMs":0.5}]}
        """;

    [Fact]
    public async Task Endpoints_and_ends_are_read()
    {
        var view = await Poller(() => Backends(10, 20), () => Ends).PollAsync(CancellationToken.None);

        Assert.True(view.Answers);
        var endpoint = Assert.Single(view.EndpointsOf("app")).Value;
        Assert.Equal(("127.0.0.1:5001", "ready", "healthy", 3L), (endpoint.Address, endpoint.Phase, endpoint.Health, endpoint.Connections));
        Assert.Equal(["downstream_close", "upstream_reset"], view.Ends.Select(e => e.Reason));
        Assert.Equal([1000, null], view.Ends.Select(e => e.CloseCode));
        Assert.Empty(view.EndpointsOf("other"));
    }

    [Fact]
    public async Task Rates_are_differences_over_two_seconds_and_start_over_with_the_gateway()
    {
        var time = new ManualTime();
        var counters = (ToEndpoint: 1000L, ToClient: 5000L);
        var poller = Poller(() => Backends(counters.ToEndpoint, counters.ToClient), () => Ends, time);
        Assert.Equal(default, await RateAsync());

        time.Advance(TimeSpan.FromSeconds(0.5));
        counters = (1050, 5200);
        Assert.Equal(new EndpointRates(0, 100, 400), await RateAsync());

        for (var i = 0; i < 10; i++)
        {
            time.Advance(TimeSpan.FromSeconds(0.5));
            counters = (counters.ToEndpoint + 5, counters.ToClient);
            await RateAsync();
        }

        Assert.Equal(new EndpointRates(0, 10, 0), await RateAsync());

        time.Advance(TimeSpan.FromSeconds(0.5));
        counters = (2, 3);
        Assert.Equal(default, await RateAsync());

        async Task<EndpointRates> RateAsync() => (await poller.PollAsync(CancellationToken.None)).Rates[new EndpointKey("app", "127.0.0.1:5001")];
    }

    [Fact]
    public async Task New_connections_are_counted_over_all_endpoints_those_that_come_and_go_included()
    {
        var time = new ManualTime();
        var opened = new Dictionary<string, long>(StringComparer.Ordinal) { ["a:1"] = 100, ["b:1"] = 50 };
        var poller = Poller(
            () => $$"""{"backends":[{"name":"app","endpoints":[{{string.Join(',', opened.Select(e => $$"""{"address":"{{e.Key}}","openedTotal":{{e.Value}}}"""))}}]}]}""", () => Ends, time);
        Assert.Equal(0, (await PollAsync()).Now);

        // Ten more on the one, eight on one that has come, and the third has gone: nobody knows what it opened last.
        opened["a:1"] = 110;
        opened["c:1"] = 8;
        opened.Remove("b:1");
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(9, (await PollAsync()).Now);

        // A gateway that begins anew.
        opened["a:1"] = 3;
        opened["c:1"] = 1;
        time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.Equal([9.0, 8.0], (await PollAsync()).History);

        for (var poll = 0; poll < 2 * AdminPoller.HistoryLength; poll++)
        {
            time.Advance(TimeSpan.FromSeconds(0.5));
            opened["a:1"] += 6;
            await PollAsync();
        }

        Assert.Equal(12, (await PollAsync()).Now, 0.1);
        Assert.Equal(AdminPoller.HistoryLength, (await PollAsync()).History.Count);

        async Task<ConnectRate> PollAsync() => (await poller.PollAsync(CancellationToken.None)).Connects;
    }

    [Fact]
    public async Task Rehomes_are_counted_over_all_backends_and_on_when_the_gateway_begins_anew()
    {
        var time = new ManualTime();
        var (app, other) = (100L, 5L);
        var poller = Poller(() => $$"""{"backends":[{"name":"app","rehomedTotal":{{app}},"endpoints":[]},{"name":"other","rehomedTotal":{{other}},"endpoints":[]}]}""", () => Ends, time);
        Assert.Equal(new RehomeRate(0, 105), await PollAsync());

        time.Advance(TimeSpan.FromSeconds(2));
        (app, other) = (140, 15);
        Assert.Equal(new RehomeRate(25, 155), await PollAsync());

        time.Advance(TimeSpan.FromSeconds(2));
        (app, other) = (4, 0);
        Assert.Equal(new RehomeRate(2, 159), await PollAsync());

        async Task<RehomeRate> PollAsync() => (await poller.PollAsync(CancellationToken.None)).Rehomes;
    }

    [Theory]
    [InlineData("not json")]
    [InlineData(null)]
    public async Task An_admin_api_that_does_not_answer_properly_is_reported_as_silent(string? answer) =>
        Assert.False((await Poller(() => answer, () => answer).PollAsync(CancellationToken.None)).Answers);

    [Fact]
    public async Task Without_ends_the_rest_is_still_shown()
    {
        var view = await Poller(() => Backends(1, 1), () => null).PollAsync(CancellationToken.None);
        Assert.True(view.Answers);
        Assert.Empty(view.Ends);
    }

    internal static AdminPoller Poller(Func<string?> backends, Func<string?> ends, TimeProvider? time = null) =>
        new(new AdminClient(new HttpClient(new Answers(backends, ends)), new Uri("http://admin/")), time ?? TimeProvider.System);

    internal static string Backends(long toEndpoint, long toClient, string phase = "ready", string health = "healthy") => $$"""
        {"backends":[{"name":"app","endpoints":[{"address":"127.0.0.1:5001","phase":"{{phase}}","health":"{{health}}","connections":3,"inFlightHandshakes":0,"openedTotal":12,
        "messagesToEndpoint":{{toEndpoint}},"messagesToClient":{{toClient}},"bytesToEndpoint":100,"bytesToClient":200,"failuresInARow":0}]}]}
        """;

    /// <summary>The admin API's contract without a socket; null is a 404.</summary>
    private sealed class Answers(Func<string?> backends, Func<string?> ends) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = request.RequestUri!.PathAndQuery switch
            {
                "/v1/backends" => backends(),
                "/v1/ends?limit=5" => ends(),
                var other => throw new InvalidOperationException("unexpected request " + other),
            };
            return Task.FromResult(answer is null
                ? new HttpResponseMessage(HttpStatusCode.NotFound)
                : new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(answer, System.Text.Encoding.UTF8, "application/json") });
        }
    }
}
