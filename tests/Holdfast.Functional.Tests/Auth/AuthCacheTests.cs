using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Auth;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>Answers are used again only where the service says so, and only for the same question.</summary>
public sealed class AuthCacheTests
{
    [Theory]
    [InlineData("Cache-Control: max-age=60")]
    [InlineData("Cache-Control: private, MAX-AGE=60, must-revalidate")]
    [InlineData("Cache-Control: private\r\nCache-Control: max-age=60")]
    [InlineData("Cache-Control: max-age=100\r\nAge: 40")]
    [InlineData("Cache-Control: max-age=60\r\nVary: authorization")]
    public async Task It_says_so_by_max_age(string lines)
    {
        var time = new ManualTime();
        using var service = new AuthService(Allow(lines));
        using var gate = new AuthGate(AuthGateTests.Options(service) with { CopyHeaders = ["x-user"] }, time: time);
        var first = await Questions.AskAsync(gate, "/", "Authorization: a");
        time.Advance(TimeSpan.FromSeconds(59.9));
        var second = await Questions.AskAsync(gate, "/", "Authorization: a");
        Assert.Equal((1, "x-user: ann\r\n"), (service.Heads.Count, System.Text.Encoding.Latin1.GetString(second.Bytes)));
        Assert.Same(first, await gate.AskInTurnAsync(Questions.Of(gate, "/", "Authorization: a"), CancellationToken.None));

        time.Advance(TimeSpan.FromSeconds(0.1));
        _ = await Questions.AskAsync(gate, "/", "Authorization: a");
        Assert.Equal(2, service.Heads.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Cache-Control: public")]
    [InlineData("Cache-Control: max-age=0")]
    [InlineData("Cache-Control: max-age=-5")]
    [InlineData("Cache-Control: max-age=\"60\"")]
    [InlineData("Cache-Control: max-age=99999999999999999999")]
    [InlineData("Cache-Control: max-age")]
    [InlineData("Cache-Control: s-maxage=60")]
    [InlineData("Cache-Control: max-age=60, max-age=70")]
    [InlineData("Cache-Control: max-age=60, no-store")]
    [InlineData("Cache-Control: max-age=60\r\nCache-Control: No-Cache")]
    [InlineData("Cache-Control: max-age=60, no-cache=\"x-user\"")]
    [InlineData("Cache-Control: max-age=60\r\nAge: 60")]
    [InlineData("Cache-Control: max-age=60\r\nAge: soon")]
    [InlineData("Cache-Control: max-age=60\r\nAge: 1\r\nAge: 2")]
    [InlineData("Cache-Control: max-age=60\r\nVary: *")]
    [InlineData("Expires: Fri, 01 Jan 2100 00:00:00 GMT")]
    public async Task Nothing_else_does(string lines)
    {
        using var service = new AuthService(Allow(lines));
        using var gate = new AuthGate(AuthGateTests.Options(service) with { CopyHeaders = ["x-user"] }, time: new ManualTime());
        for (var i = 0; i < 2; i++)
            Assert.Equal(AuthVerdict.Allowed, (await Questions.AskAsync(gate, "/", "Authorization: a")).Verdict);
        Assert.Equal(2, service.Heads.Count);
    }

    [Fact]
    public async Task Five_minutes_are_the_most()
    {
        var time = new ManualTime();
        using var service = new AuthService(Allow("Cache-Control: max-age=86400"));
        using var gate = new AuthGate(AuthGateTests.Options(service), time: time);
        _ = await Questions.AskAsync(gate, "/");
        time.Advance(TimeSpan.FromSeconds(299));
        _ = await Questions.AskAsync(gate, "/");
        Assert.Single(service.Heads);
        time.Advance(TimeSpan.FromSeconds(1));
        _ = await Questions.AskAsync(gate, "/");
        Assert.Equal(2, service.Heads.Count);
    }

    [Fact]
    public async Task Another_question_is_asked_for_itself()
    {
        using var service = new AuthService(Allow("Cache-Control: max-age=60"));
        using var gate = new AuthGate(AuthGateTests.Options(service) with { ForwardHeaders = ["authorization", "cookie"] }, time: new ManualTime());
        string[][] questions =
        [
            ["/"], ["/?a"], ["/", "Authorization: a"], ["/", "Authorization: b"], ["/", "Cookie: a"], ["/", "Authorization: a", "Cookie: a"], ["/", "Authorization: a", "Authorization: a"],
        ];
        for (var i = 0; i < 2; i++)
        {
            foreach (var question in questions)
                _ = await Questions.AskAsync(gate, question[0], question[1..]);
        }

        Assert.Equal(questions.Length, service.Heads.Count);
        // What the service is not told makes no difference to it.
        _ = await Questions.AskAsync(gate, "/", "X-Other: 1");
        Assert.Equal(questions.Length, service.Heads.Count);
    }

    [Theory]
    [InlineData("HTTP/1.1 401 No\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 403 No\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("HTTP/1.1 500 No\r\nCache-Control: max-age=60\r\nContent-Length: 0\r\n\r\n")]
    public async Task Only_what_allows_is_kept(string answer)
    {
        using var service = new AuthService(answer);
        using var gate = new AuthGate(AuthGateTests.Options(service), time: new ManualTime());
        _ = await Questions.AskAsync(gate, "/");
        _ = await Questions.AskAsync(gate, "/");
        Assert.Equal(2, service.Heads.Count);
    }

    [Fact]
    public void It_is_bounded_in_number_and_in_bytes_and_the_oldest_make_room()
    {
        var cache = new AuthCache(new ManualTime());
        var small = AuthAnswer.Allow([]);
        for (var i = 0; i <= AuthCache.MostEntries; i++)
            cache.Add(Hash(i), small, TimeSpan.FromSeconds(60), new ManualTime().GetTimestamp());
        Assert.Equal(AuthCache.MostEntries, cache.Count);
        Assert.False(cache.TryGet(Hash(0), out _));
        Assert.True(cache.TryGet(Hash(1), out _) && cache.TryGet(Hash(AuthCache.MostEntries), out _));

        var large = AuthAnswer.Allow([new("x", new string('y', 8000))]);
        for (var i = 0; i < 1000; i++)
            cache.Add(Hash(-i), large, TimeSpan.FromSeconds(60), new ManualTime().GetTimestamp());
        Assert.InRange(cache.Count, 100, AuthCache.MostBytes / 32_000);
        cache.Add(Hash(-999), small, TimeSpan.FromSeconds(60), new ManualTime().GetTimestamp());
        Assert.True(cache.TryGet(Hash(-999), out var replaced));
        Assert.Same(small, replaced);

        static byte[] Hash(int number) => System.Security.Cryptography.SHA256.HashData(BitConverter.GetBytes(number));
    }

    private static string Allow(string lines) => $"HTTP/1.1 200 OK\r\nX-User: ann\r\n{(lines.Length == 0 ? "" : lines + "\r\n")}Content-Length: 0\r\n\r\n";
}
