using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Telemetry;
using Holdfast.Testing;
using static Holdfast.Functional.Tests.Health.CheckedGateway;

namespace Holdfast.Functional.Tests.Health;

/// <summary>What a check asks, and which answers of real servers it takes for good.</summary>
public sealed class CheckAnswerTests
{
    [Theory]
    [InlineData(Http, "302 Found", "bad_status", "it answered 302, and redirects are not followed")]
    [InlineData(Http, "404 Not Found", "bad_status", "it answered 404")]
    [InlineData(Http, "101 Switching Protocols", "bad_status", "it answered 101")]
    [InlineData(Http, nameof(Answers.Garbage), "bad_answer", "it answered no valid HTTP: Version")]
    [InlineData(Http, nameof(Answers.End), "bad_answer", "it ended the connection before it had answered")]
    [InlineData(Http, nameof(Answers.Reset), "bad_answer", "it ended the connection before it had answered")]
    [InlineData(Http, "endless head", "bad_answer", "the head of its answer is over 32 KiB")]
    [InlineData(Http, "endless interim heads", "bad_answer", "the head of its answer is over 32 KiB")]
    [InlineData(Http, nameof(Answers.Nothing), "timeout", "it did not answer within 500ms")]
    [InlineData(WebSocket, "200 OK", "bad_status", "it answered 200 instead of 101")]
    [InlineData(WebSocket, "403 Forbidden", "bad_status", "it answered 403 instead of 101")]
    [InlineData(WebSocket, nameof(Answers.WrongAccept), "bad_answer", "its 101 does not prove the key, or is no upgrade to websocket as asked for")]
    [InlineData(WebSocket, nameof(Answers.Garbage), "bad_answer", "it answered no valid HTTP: Version")]
    [InlineData(WebSocket, nameof(Answers.End), "bad_answer", "it ended the connection before it had answered")]
    [InlineData(WebSocket, nameof(Answers.WithoutPongs), "timeout", "it did not answer within 500ms")]
    [InlineData(WebSocket, "another pong", "timeout", "it did not answer within 500ms")]
    [InlineData(WebSocket, "closes at once", "bad_answer", "it closed the WebSocket before it had answered a ping")]
    [InlineData(WebSocket, "masked frame", "bad_answer", "it sent an illegal frame: MaskForbidden")]
    [InlineData(Tcp, "refuses", "connect_failed", "it cannot be connected to: ConnectionRefused")]
    public async Task What_is_wrong_is_told_and_counted(string check, string fault, string outcome, string reason)
    {
        using var good = new ScriptedEndpoint(Answers.Well);
        using var bad = new ScriptedEndpoint(Answers.Well, BadAnswer(fault), listens: fault != "refuses");
        await using var gateway = await StartAsync(check + ", timeout: 500ms", good, bad);
        await Processes.UntilAsync(() => StateOf(gateway, bad).FailsCheck, "the endpoint was unhealthy");

        Assert.Equal(reason, StateOf(gateway, bad).CheckFailure);
        Assert.InRange(await gateway.MetricAsync("holdfast_health_checks_total", "backend=\"test\"", $"outcome=\"{outcome}\""), 2, double.MaxValue);
        Assert.Equal(1, await gateway.MetricAsync("holdfast_endpoint_state", $":{bad.Port}\"", "phase=\"starting\"", "health=\"unhealthy\""));
        Assert.Equal(0, bad.Users);
        await gateway.SettledAsync();
    }

    [Theory]
    [InlineData(Http, "204 No Content")]
    [InlineData(Http, "299 Whatever")]
    [InlineData(Http, "hints first")]
    [InlineData(Http, "endless body")]
    [InlineData(WebSocket, nameof(Answers.Well))]
    [InlineData(WebSocket, "greets and pings")]
    [InlineData(WebSocket, "keeps the connection")]
    [InlineData(Tcp, nameof(Answers.Nothing))]
    [InlineData(Tcp, nameof(Answers.Reset))]
    public async Task A_good_answer_is_good_whatever_comes_with_it(string check, string answer)
    {
        using var endpoint = new ScriptedEndpoint(Answers.Well, GoodAnswer(answer));
        await using var gateway = await StartAsync(check + ", timeout: 2s", endpoint);
        await ReadyAsync(gateway, endpoint);
        var accepted = endpoint.Accepted;
        await Processes.UntilAsync(() => endpoint.Accepted >= accepted + 2, "it was checked again and again");
        Assert.False(StateOf(gateway, endpoint).FailsCheck);
        Assert.Null(StateOf(gateway, endpoint).CheckFailure);
        var checks = await gateway.MetricAsync("holdfast_health_checks_total", "backend=\"test\"");
        Assert.InRange(await gateway.MetricAsync("holdfast_health_checks_total", "backend=\"test\"", "outcome=\"passed\""), checks, double.MaxValue);
    }

    [Fact]
    public async Task A_http_check_says_who_it_is()
    {
        using var endpoint = new ScriptedEndpoint(Answers.Well);
        await using var gateway = await StartAsync("http: {path: \"/healthz?deep=1\"}", endpoint);
        await ReadyAsync(gateway, endpoint);
        Assert.Equal(
            $"GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:{endpoint.Port}\r\nUser-Agent: holdfast-health/{GatewayVersion.Text}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            endpoint.Checks.First());
    }

    [Fact]
    public async Task A_websocket_check_upgrades_with_a_fresh_key_pings_masked_and_says_goodbye()
    {
        var frames = new System.Collections.Concurrent.BlockingCollection<ReceivedFrame>();
        using var endpoint = new ScriptedEndpoint(Answers.Well, (peer, head) =>
        {
            peer.Send(Upgrades.Switching(head));
            var ping = peer.ReceiveFrame();
            frames.Add(ping);
            peer.Send(Frames.FromServer(Frames.Pong, ping.Payload));
            frames.Add(peer.ReceiveFrame());
        });
        await using var gateway = await StartAsync("websocket: {path: /ws?check=1}", endpoint);
        await Processes.UntilAsync(() => endpoint.Checks.Count >= 3, "it was checked three times");

        var head = endpoint.Checks.First();
        Assert.StartsWith($"GET /ws?check=1 HTTP/1.1\r\nHost: 127.0.0.1:{endpoint.Port}\r\nUser-Agent: holdfast-health/{GatewayVersion.Text}\r\n", head, StringComparison.Ordinal);
        Assert.Equal(("Upgrade", "websocket", "13"), (Upgrades.Value(head, "Connection"), Upgrades.Value(head, "Upgrade"), Upgrades.Value(head, "Sec-WebSocket-Version")));
        Assert.Equal(endpoint.Checks.Count, endpoint.Checks.Select(h => Upgrades.Value(h, "Sec-WebSocket-Key")).Distinct(StringComparer.Ordinal).Count());
        var (ping, close) = (frames.Take(TestContext.Current.CancellationToken), frames.Take(TestContext.Current.CancellationToken));
        Assert.Equal((Frames.Ping, true), (ping.Opcode, ping.Masked));
        Assert.Equal((Frames.Close, true, 1000), (close.Opcode, close.Masked, close.CloseCode));
    }

    private static Answer BadAnswer(string name) => name switch
    {
        "endless head" => static (peer, _) =>
        {
            peer.Send("HTTP/1.1 200 OK\r\n");
            while (true)
                peer.Send("X-More: and more of it\r\n");
        }
        ,
        "endless interim heads" => static (peer, _) =>
        {
            while (true)
                peer.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        }
        ,
        "another pong" => static (peer, head) =>
        {
            peer.Send(Upgrades.Switching(head));
            while (true)
                peer.Send(Frames.FromServer(Frames.Pong, [.. peer.ReceiveFrame().Payload, 0]));
        }
        ,
        "closes at once" => static (peer, head) =>
        {
            peer.Send(Upgrades.Switching(head));
            peer.Send(Frames.CloseFrame(client: false, 1013, "busy"));
            _ = peer.ReceiveToEnd();
        }
        ,
        "masked frame" => static (peer, head) =>
        {
            peer.Send(Upgrades.Switching(head));
            peer.Send(Frames.FromClient(Frames.Text, "hello"u8));
            _ = peer.ReceiveToEnd();
        }
        ,
        "refuses" => Answers.Well,
        _ => Answers.Named(name),
    };

    private static Answer GoodAnswer(string name) => name switch
    {
        "hints first" => static (peer, _) => peer.Send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        "endless body" => static (peer, _) =>
        {
            peer.Send("HTTP/1.1 200 OK\r\n\r\n");
            while (true)
                peer.Send(new byte[65536]);
        }
        ,
        "greets and pings" => static (peer, head) =>
        {
            peer.Send(Upgrades.Switching(head));
            peer.Send(Frames.FromServer(Frames.Text, new byte[100_000]));
            peer.Send(Frames.FromServer(Frames.Ping, "you?"u8));
            peer.Send(Frames.FromServer(Frames.Binary, "half"u8, fin: false));
            ReceivedFrame? ping = null, pong = null;
            while (ping is null || pong is null)
            {
                var frame = peer.ReceiveFrame();
                if (frame.Opcode == Frames.Ping)
                    ping = frame;
                else if (frame.Opcode == Frames.Pong && frame.Payload.AsSpan().SequenceEqual("you?"u8))
                    pong = frame;
            }

            peer.Send(Frames.FromServer(Frames.Pong, ping.Payload));
            _ = peer.ReceiveFrame();
        }
        ,
        "keeps the connection" => static (peer, head) =>
        {
            peer.Send(Upgrades.Switching(head));
            peer.Send(Frames.FromServer(Frames.Pong, peer.ReceiveFrame().Payload));
            _ = peer.ReceiveToEnd();
        }
        ,
        _ => Answers.Named(name),
    };
}
