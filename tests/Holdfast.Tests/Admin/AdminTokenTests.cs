using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admin;
using Xunit;

namespace Holdfast.Tests.Admin;

public sealed class AdminTokenTests
{
    private const string Token = "correct-horse-battery";

    [Theory]
    [InlineData("Bearer correct-horse-battery", true)]
    [InlineData("bearer  correct-horse-battery", true)]
    [InlineData("Bearer correct-horse-batterY", false)]
    [InlineData("Bearer correct-horse-batter", false)]
    [InlineData("Bearer correct-horse-battery2", false)]
    [InlineData("Bearer correct-horse-battery\0", false)]
    [InlineData("Bearer ", false)]
    [InlineData("Basic correct-horse-battery", false)]
    [InlineData("correct-horse-battery", false)]
    [InlineData("", false)]
    public void Only_the_very_token_is_accepted(string authorization, bool accepted) =>
        Assert.Equal(accepted, new AdminToken(new AdminOptions { Token = Token }).Accepts(authorization));

    [Fact]
    public void No_header_two_headers_or_a_huge_one_are_refused()
    {
        var token = new AdminToken(new AdminOptions { Token = Token });

        Assert.False(token.Accepts(default));
        Assert.False(token.Accepts(new[] { "Bearer " + Token, "Bearer " + Token }));
        Assert.False(token.Accepts("Bearer " + new string('x', 100_000)));
    }

    [Fact]
    public void A_token_file_counts_as_soon_as_it_changes_and_the_last_good_one_survives_its_loss()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, " first-token-of-all \n");
        var token = new AdminToken(new AdminOptions { TokenFile = file });
        Assert.True(token.Accepts("Bearer first-token-of-all"));

        File.WriteAllText(file, "second-token-of-all");
        Assert.True(token.Accepts("Bearer second-token-of-all"));
        Assert.False(token.Accepts("Bearer first-token-of-all"));

        File.WriteAllText(file, "");
        Assert.True(token.Accepts("Bearer second-token-of-all"));
        Assert.False(token.Accepts("Bearer "));
        File.Delete(file);
        Assert.True(token.Accepts("Bearer second-token-of-all"));
    }

    [Fact]
    public void Another_token_counts_at_once_and_the_last_good_one_of_the_same_file_survives_the_change()
    {
        var token = new AdminToken(new AdminOptions());
        Assert.True(token.Accepts(default));
        token.Apply(new AdminOptions { Token = Token });
        Assert.False(token.Accepts(default));
        Assert.True(token.Accepts("Bearer " + Token));

        var file = Path.GetTempFileName();
        File.WriteAllText(file, "first-token-of-all");
        token.Apply(new AdminOptions { TokenFile = file });
        Assert.False(token.Accepts("Bearer " + Token));
        Assert.True(token.Accepts("Bearer first-token-of-all"));
        File.Delete(file);
        token.Apply(new AdminOptions { TokenFile = file });
        Assert.True(token.Accepts("Bearer first-token-of-all"));
        token.Apply(new AdminOptions { TokenFile = file + "2" });
        Assert.False(token.Accepts("Bearer first-token-of-all"));
    }

    [Fact]
    public void A_token_file_that_was_never_there_lets_nobody_in()
    {
        var token = new AdminToken(new AdminOptions { TokenFile = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()) });

        Assert.True(token.IsRequired);
        Assert.False(token.Accepts("Bearer "));
        Assert.False(token.Accepts("Bearer anything-at-all-here"));
    }

    [Fact]
    public async Task The_token_guards_everything_but_health_and_metrics()
    {
        await using var admin = await AdminFixture.StartAsync(new AdminOptions { Token = Token });

        foreach (var path in new[] { "/v1/backends", "/v1/connections", "/v1/connections/1", "/v1/ends", "/v1/events", "/", "/v2/anything" })
        {
            var (status, json) = await admin.GetAsync(path);
            Assert.Equal((path, HttpStatusCode.Unauthorized), (path, status));
            Assert.DoesNotContain(Token, json.GetRawText(), StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, (await admin.SendAsync("DELETE", "/v1/connections/1")).Status);
        foreach (var path in new[] { "/health", "/health/live", "/health/ready", "/metrics" })
        {
            using var response = await admin.Client.GetAsync(path);
            Assert.Equal((path, HttpStatusCode.OK), (path, response.StatusCode));
        }

        Assert.Equal(HttpStatusCode.OK, (await admin.SendAsync("GET", "/v1/backends", "Bearer " + Token)).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await admin.SendAsync("GET", "/v2/anything", "Bearer " + Token)).Status);
    }
}
