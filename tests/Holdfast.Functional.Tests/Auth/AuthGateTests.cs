using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Auth;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>What a service is asked, and what becomes of what it answers, over real sockets.</summary>
public sealed class AuthGateTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    [Fact]
    public async Task It_is_told_the_request_and_the_chosen_headers_as_they_came_and_nothing_else()
    {
        using var service = new AuthService(Ok);
        using var gate = new AuthGate(Options(service) with { ForwardHeaders = ["Authorization", "cookie", "x-latin", "x-absent", "host", "Connection", "content-length", "holdfast-x", "content-type"] });
        var answer = await Questions.AskAsync(
            gate, "/ws/a%2Fb?room=1&x=%20", "Cookie: a=1; b=2", "AUTHORIZATION: Bearer s3cret", "X-Latin: caf\u00e9", "x-latin: second", "X-Other: not for it", "Content-Length: 0",
            "Holdfast-X: forged", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Uri: /forged", "Upgrade: websocket", "Connection: Upgrade", "Content-Type: text/x");

        Assert.Equal(AuthVerdict.Allowed, answer.Verdict);
        var lines = Assert.Single(service.Heads).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("GET /verify?by=holdfast HTTP/1.1", lines[0]);
        Assert.Equal(
            [
                "authorization: Bearer s3cret", "content-length: 0", "content-type: text/x", "cookie: a=1; b=2", $"host: {service.Url.Authority}", "x-forwarded-for: 203.0.113.7",
                "x-forwarded-host: chat.example:8080", "x-forwarded-method: GET", "x-forwarded-proto: https", "x-forwarded-uri: /ws/a%2Fb?room=1&x=%20", "x-latin: caf\u00e9, second",
            ],
            lines.Skip(1).Select(l => l[..l.IndexOf(':', StringComparison.Ordinal)].ToLowerInvariant() + l[l.IndexOf(':', StringComparison.Ordinal)..]).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("200 OK")]
    [InlineData("204 No Content")]
    [InlineData("299 Whatever")]
    public async Task Any_2xx_allows_and_what_is_to_be_copied_becomes_lines(string status)
    {
        using var service = new AuthService($"HTTP/1.1 {status}\r\nX-User: ann\u00e9\r\nX-Group: a\r\nx-group:b \r\nX-Other: no\r\nX-Empty:\r\n{(status[0..3] == "204" ? "" : "Content-Length: 2\r\n")}\r\n{(status[0..3] == "204" ? "" : "ok")}");
        using var gate = new AuthGate(Options(service) with { CopyHeaders = ["x-group", "X-User", "x-absent", "x-empty"] });
        var answer = await Questions.AskAsync(gate, "/");

        Assert.Equal((AuthVerdict.Allowed, "x-group: a, b\r\nX-User: ann\u00e9\r\nx-empty: \r\n"), (answer.Verdict, Encoding.Latin1.GetString(answer.Bytes)));
    }

    [Theory]
    [InlineData(401, "Unauthorized")]
    [InlineData(403, "Forbidden")]
    public async Task A_refusal_is_the_clients_answer_with_its_body_and_without_what_is_the_connections(int status, string reason)
    {
        using var service = new AuthService(
            $"HTTP/1.1 {status} Hm\r\nContent-Type: application/json\r\nWWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic realm=\"a\"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            + "Location: /login\r\nX-User: ann\r\nServer: x\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n5\r\n\":1}\n\r\n0\r\nX-Trailer: t\r\n\r\n");
        using var gate = new AuthGate(Options(service) with { CopyHeaders = ["x-user"] });
        var answer = await Questions.AskAsync(gate, "/");

        Assert.Equal((AuthVerdict.Refused, status), (answer.Verdict, answer.Status));
        Assert.Equal(
            $"HTTP/1.1 {status} {reason}\r\nWWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic realm=\"a\"\r\nContent-Type: application/json\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            + "Content-Length: 8\r\nConnection: close\r\n\r\n{\"a\":1}\n",
            Encoding.Latin1.GetString(answer.Bytes));
        Assert.Equal("{\"a\":1}\n", Encoding.Latin1.GetString(answer.Body.Span));
    }

    public static TheoryData<string, string> Failures() => new()
    {
        { "HTTP/1.1 302 Found\r\nLocation: /verify\r\nContent-Length: 0\r\n\r\n", "The auth service answered 302, which is neither 2xx nor 401 nor 403." },
        { "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", "The auth service answered 500, which is neither 2xx nor 401 nor 403." },
        { "HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\n\r\n", "The auth service answered 407, which is neither 2xx nor 401 nor 403." },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "The auth service answered 404, which is neither 2xx nor 401 nor 403." },
        { "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "The auth service answered 101, which is neither 2xx nor 401 nor 403." },
        { "SSH-2.0-OpenSSH_9.9\r\n\r\n", "The auth service answered no valid HTTP." },
        { "HTTP/1.1 2OO OK\r\n\r\n", "The auth service answered no valid HTTP." },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "The auth service answered no valid HTTP." },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", "The auth service answered no valid HTTP." },
        { "HTTP/1.1 200 OK\r\nX-User: a\u0001b\r\nContent-Length: 0\r\n\r\n", "The auth service answered no valid HTTP." },
        { "HTTP/1.1 403 No\r\nSet-Cookie: a\u0007b\r\nContent-Length: 0\r\n\r\n", "The auth service answered no valid HTTP." },
        { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "The auth service broke its connection off." },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "The auth service broke its connection off." },
        { "HTTP/1.1 200 OK\r\nX-Us", "The auth service broke its connection off." },
        { "", "The auth service broke its connection off." },
        { $"HTTP/1.1 200 OK\r\nX-Long: {new string('x', 33 * 1024)}\r\nContent-Length: 0\r\n\r\n", "The head of the auth service's answer is over 32 KiB." },
        { $"HTTP/1.1 403 No\r\nContent-Length: 65537\r\n\r\n{new string('x', 65537)}", "The body of the auth service's answer is over 64 KiB." },
        { $"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n{new string('x', 0x20000)}\r\n0\r\n\r\n", "The body of the auth service's answer is over 64 KiB." },
        { $"HTTP/1.1 200 OK\r\nX-User: {new string('x', 8192)}\r\nContent-Length: 0\r\n\r\n", "The headers to copy from the auth service's answer are over 8 KiB." },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Whatever_else_it_does_is_a_failure_that_says_why_and_the_next_question_is_asked_well(string given, string detail)
    {
        // Over a connection that serves, so that the handler might think of trying again; garbage there is no stale connection's.
        using var service = new AuthService(Ok);
        using var gate = new AuthGate(Options(service) with { CopyHeaders = ["x-user"] });
        Assert.Equal(AuthVerdict.Allowed, (await Questions.AskAsync(gate, "/")).Verdict);
        (service.Answer, service.Act) = (_ => given, (_, _) => { });
        var answer = await Questions.AskAsync(gate, "/");
        Assert.Equal((AuthVerdict.Failed, detail), (answer.Verdict, answer.Detail));
        Assert.Empty(answer.Bytes);
        // An answer that never began may be a kept-alive connection that was closed in the same moment: asked once more over a new one.
        Assert.InRange(service.Heads.Count, 2, given.Length == 0 ? 6 : 2);

        (service.Answer, service.Act) = (_ => Ok, null);
        Assert.Equal(AuthVerdict.Allowed, (await Questions.AskAsync(gate, "/")).Verdict);
        Assert.Equal(0, gate.InFlight);
    }

    [Fact]
    public async Task A_NUL_in_a_value_is_a_space()
    {
        using var service = new AuthService("HTTP/1.1 200 OK\r\nX-User: a\u0000b\r\nContent-Length: 0\r\n\r\n");
        using var gate = new AuthGate(Options(service) with { CopyHeaders = ["x-user"] });
        Assert.Equal("x-user: a b\r\n", Encoding.Latin1.GetString((await Questions.AskAsync(gate, "/")).Bytes));
    }

    [Fact]
    public async Task An_answer_at_its_limits_is_taken_whole()
    {
        using var service = new AuthService($"HTTP/1.1 403 No\r\nContent-Length: 65536\r\n\r\n{new string('x', 65536)}");
        using var gate = new AuthGate(Options(service));
        Assert.Equal(65536, (await Questions.AskAsync(gate, "/")).Body.Length);
    }

    [Fact]
    public async Task One_that_nobody_listens_for_fails_at_once_and_one_that_is_found_later_is_asked_then()
    {
        using var gate = new AuthGate(new AuthOptions { Url = new Uri($"http://127.0.0.1:{Processes.FreePort()}/") });
        Assert.Equal("The auth service cannot be reached.", (await Questions.AskAsync(gate, "/")).Detail);
        using var unknown = new AuthGate(new AuthOptions { Url = new Uri("http://auth.invalid/") });
        Assert.Equal("The auth service cannot be reached.", (await Questions.AskAsync(unknown, "/")).Detail);
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")]
    public async Task The_time_out_is_for_the_whole_answer_however_much_of_it_has_come(string begun)
    {
        var time = new ManualTime();
        var sent = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var service = new AuthService(begun) { Act = (peer, head) => { sent.TrySetResult(); _ = peer.ReceiveToEnd(); } };
        using var gate = new AuthGate(Options(service) with { Timeout = TimeSpan.FromSeconds(30) }, time: time);
        var asking = Questions.AskAsync(gate, "/");
        await sent.Task.WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken);
        time.Advance(TimeSpan.FromSeconds(29.9));
        Assert.False(asking.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(0.2));

        Assert.Equal("The auth service did not answer in time.", (await asking).Detail);
        // Nobody will read the rest: the connection ends, and no timer is left.
        await Processes.UntilAsync(() => service.Open == 0, "the connection ended");
        Assert.Equal(0, time.Timers);
    }

    [Fact]
    public async Task A_client_that_leaves_cancels_its_question_and_that_is_no_failure_of_the_service()
    {
        var log = new LogLines();
        using var service = new AuthService("") { Act = (peer, head) => _ = peer.ReceiveToEnd() };
        using var gate = new AuthGate(Options(service), "chat", logger: () => log);
        using var leaves = new CancellationTokenSource();
        var asking = gate.AskAsync(Questions.Of(gate, "/"), leaves.Token);
        await Processes.UntilAsync(() => service.Heads.Count == 1, "it was asked");
        await leaves.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        await Processes.UntilAsync(() => service.Open == 0, "the connection ended");
        Assert.Empty(log.All);
    }

    [Fact]
    public async Task Connections_are_kept_and_used_again_whatever_is_answered()
    {
        using var service = new AuthService(head => Upgrades.Value(head, "X-Forwarded-Uri") switch
        {
            "/no" => "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno",
            "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "/bad" => "HTTP/1.1 500 Bad\r\nContent-Length: 3\r\n\r\nbad",
            _ => Ok,
        });
        using var gate = new AuthGate(Options(service));
        foreach (var target in (string[])["/yes", "/no", "/chunked", "/bad", "/yes", "/no", "/chunked", "/bad"])
            _ = await Questions.AskAsync(gate, target);

        Assert.Equal((8, 1), (service.Heads.Count, service.Connections));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_kept_connection_that_ends_as_the_next_question_comes_is_replaced_unnoticed(bool reset)
    {
        using var service = new AuthService(Ok);
        using var gate = new AuthGate(Options(service));
        _ = await Questions.AskAsync(gate, "/");
        service.Answer = _ => "";
        service.Act = (peer, _) =>
        {
            (service.Answer, service.Act) = (_ => Ok, null);
            if (reset)
                peer.Reset();
        };

        Assert.Equal((AuthVerdict.Allowed, ""), (await Questions.AskAsync(gate, "/") is var answer ? answer.Verdict : default, answer.Detail));
        Assert.Equal((3, 2), (service.Heads.Count, service.Connections));
    }

    [Fact]
    public async Task What_is_under_way_ends_well_when_the_gate_is_retired_and_then_its_connections_close()
    {
        var go = new ManualResetEventSlim();
        using var service = new AuthService(_ =>
        {
            go.Wait();
            return Ok;
        });
        var gate = new AuthGate(Options(service));
        var asking = Questions.AskAsync(gate, "/");
        await Processes.UntilAsync(() => service.UnderWay == 1, "it was asked");
        gate.Dispose();
        go.Set();
        Assert.Equal(AuthVerdict.Allowed, (await asking).Verdict);
        await Processes.UntilAsync(() => service.Open == 0, "the connection was closed");

        // Whoever took the gate before it was retired may come late.
        Assert.Equal(AuthVerdict.Allowed, (await Questions.AskAsync(gate, "/")).Verdict);
        await Processes.UntilAsync(() => service.Open == 0, "the late connection was closed");
        Assert.Equal(2, service.Connections);
    }

    [Fact]
    public async Task The_log_tells_once_when_it_begins_to_fail_and_when_it_answers_again_and_never_a_secret()
    {
        var time = new ManualTime();
        var log = new LogLines();
        using var service = new AuthService("HTTP/1.1 500 s3cret-answer\r\nX-User: s3cret-answer\r\nContent-Length: 13\r\n\r\ns3cret-answer");
        using var gate = new AuthGate(Options(service) with { Url = new Uri(service.Url, "/s3cret-url?key=s3cret-url") }, "chat", time, () => log);
        await AskTwiceAsync();
        string[] failing = ["Error 1250 Auth of chat fails, and what it is asked about is refused with 503: The auth service answered 500, which is neither 2xx nor 401 nor 403."];
        Assert.Equal(failing, log.All);

        // It flickers: no line for each change.
        service.Answer = _ => Ok;
        await AskTwiceAsync();
        Assert.Equal(failing, log.All);
        time.Advance(TimeSpan.FromSeconds(10));
        await AskTwiceAsync();
        Assert.Equal([.. failing, "Information 1251 Auth of chat answers again"], log.All);

        time.Advance(TimeSpan.FromSeconds(10));
        (service.Answer, service.Act) = (_ => "HTTP/1.1 200 s3cret-answer\r\nX-User: s3cret-answer", (_, _) => { });
        await AskTwiceAsync();
        Assert.Equal(3, log.All.Count);
        Assert.DoesNotContain("s3cret", string.Join('\n', log.All), StringComparison.Ordinal);

        async Task AskTwiceAsync()
        {
            for (var i = 0; i < 2; i++)
            {
                var answer = await Questions.AskAsync(gate, "/ws?token=s3cret-target", "Authorization: Bearer s3cret-token", "Cookie: s3cret-cookie");
                Assert.DoesNotContain("s3cret", answer.Detail, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_refusal_is_an_answer_that_shows_the_service_well()
    {
        var log = new LogLines();
        using var service = new AuthService("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
        using var gate = new AuthGate(Options(service), "chat", logger: () => log);
        Assert.Equal(AuthVerdict.Refused, (await Questions.AskAsync(gate, "/")).Verdict);
        Assert.Empty(log.All);
    }

    internal static AuthOptions Options(AuthService service) => new() { Url = service.Url, Timeout = RawPeer.Patience };
}
