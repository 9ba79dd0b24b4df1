using System.Net;
using Holdfast.Gateway.Draining;
using Holdfast.Gateway.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Admin;

public sealed class DrainApiTests : IAsyncLifetime
{
    private const string Path = "/v1/backends/chat/endpoints/127.0.0.1:9001/drain";
    private AdminFixture _admin = null!;

    private EndpointState Endpoint => _admin.Gateway.Chat.Endpoints[0];

    public async ValueTask InitializeAsync() => _admin = await AdminFixture.StartAsync();

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    [Fact]
    public async Task An_endpoint_is_drained_and_the_drain_is_cancelled()
    {
        var drained = await _admin.SendAsync("POST", Path);
        Assert.Equal(HttpStatusCode.OK, drained.Status);
        Assert.Equal("draining", drained.Json.GetProperty("phase").GetString());
        var drain = drained.Json.GetProperty("drain");
        Assert.Equal("admin", Assert.Single(drain.GetProperty("causes").EnumerateArray()).GetString());
        Assert.Equal(20_000, drain.GetProperty("endsInMs").GetInt64() - drain.GetProperty("startsInMs").GetInt64());
        Assert.Equal(EndpointPhase.Draining, Endpoint.Phase);

        var cancelled = await _admin.SendAsync("DELETE", Path);
        Assert.Equal(("ready", System.Text.Json.JsonValueKind.Null), (cancelled.Json.GetProperty("phase").GetString(), cancelled.Json.GetProperty("drain").ValueKind));
        Assert.Equal(EndpointPhase.Ready, Endpoint.Phase);
    }

    [Fact]
    public async Task Cancelling_leaves_other_causes_in_force()
    {
        _admin.Gateway.Runtime.Drains.Begin(_admin.Gateway.Chat, Endpoint, DrainCause.FailedCheck);
        _ = await _admin.SendAsync("POST", Path);
        var cancelled = await _admin.SendAsync("DELETE", Path);
        Assert.Equal("failed_check", Assert.Single(cancelled.Json.GetProperty("drain").GetProperty("causes").EnumerateArray()).GetString());
        Assert.Equal(EndpointPhase.Draining, Endpoint.Phase);
    }

    [Fact]
    public async Task Cancelling_what_is_not_drained_changes_nothing()
    {
        Assert.Equal("ready", (await _admin.SendAsync("DELETE", Path)).Json.GetProperty("phase").GetString());
        Assert.Equal(EndpointPhase.Ready, Endpoint.Phase);
    }

    [Theory]
    [InlineData("/v1/backends/nobody/endpoints/127.0.0.1:9001/drain", "no backend of this name")]
    [InlineData("/v1/backends/chat/endpoints/127.0.0.1:1/drain", "no endpoint of this address")]
    [InlineData("/v1/backends/chat/endpoints/zzz/drain", "no endpoint of this address")]
    public async Task What_does_not_exist_is_not_found(string path, string error)
    {
        var (status, json) = await _admin.SendAsync("POST", path);
        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.Contains(error, json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_gateways_own_drain_is_asked_for_by_POST_only()
    {
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _admin.GetAsync("/v1/drain")).Status);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _admin.GetAsync(Path)).Status);
        Assert.Equal(0, _admin.Drains);
        Assert.Equal(HttpStatusCode.Accepted, (await _admin.SendAsync("POST", "/v1/drain")).Status);
        Assert.Equal(1, _admin.Drains);
    }

    [Theory]
    [InlineData("POST", "/v1/drain")]
    [InlineData("POST", Path)]
    [InlineData("DELETE", Path)]
    public async Task A_web_page_changes_nothing(string method, string path)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        request.Headers.TryAddWithoutValidation("Origin", "https://elsewhere.example");
        using var response = await _admin.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal((0, EndpointPhase.Ready), (_admin.Drains, Endpoint.Phase));
    }
}
