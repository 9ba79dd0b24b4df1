using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;

namespace Holdfast.Functional.Tests.Showcase;

public sealed class ChatTests
{
    [Fact]
    public async Task People_in_a_room_see_each_other_and_hear_each_other_and_nobody_else()
    {
        await using var server = await ChatServer.StartAsync();
        using var ana = await server.JoinAsync("Ana");
        using var elsewhere = await server.JoinAsync("Eve", "other");
        using var bob = await server.JoinAsync("Böb <b>", " LOBBY ");

        Assert.Equal("replica-7", (string?)bob.Welcome["replica"]);
        Assert.Equal(["Ana", "Böb <b>"], bob.Welcome["here"]!.AsArray().Select(m => (string?)m!["name"]));
        Assert.Equal("Böb <b>", (string?)(await ana.NextAsync("joined"))["member"]!["name"]);

        await bob.SayAsync("<script>alert(1)</script> \"quoted\" 👍");
        foreach (var person in (ChatPerson[])[ana, bob])
        {
            var said = await person.NextAsync("message");
            Assert.Equal("<script>alert(1)</script> \"quoted\" 👍", (string?)said["text"]);
            Assert.Equal("Böb <b>", (string?)said["name"]);
            Assert.Equal((long?)bob.Welcome["you"], (long?)said["from"]);
        }

        await elsewhere.SayAsync("alone");
        Assert.Equal("alone", (string?)(await elsewhere.NextAsync("message"))["text"]);

        await bob.Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        Assert.Equal((1000, ""), await bob.UntilClosedAsync());
        Assert.Equal((long?)bob.Welcome["you"], (long?)(await ana.NextAsync("left"))["id"]);
    }

    [Fact]
    public async Task A_newcomer_gets_the_last_fifty_messages()
    {
        await using var server = await ChatServer.StartAsync();
        using var ana = await server.JoinAsync("Ana");
        for (var i = 1; i <= 60; i++)
            await ana.SayAsync(i.ToString(CultureInfo.InvariantCulture));
        for (var i = 1; i <= 60; i++)
            Assert.Equal(i.ToString(CultureInfo.InvariantCulture), (string?)(await ana.NextAsync("message"))["text"]);

        using var bob = await server.JoinAsync("Bob");

        Assert.Equal(Enumerable.Range(11, 50).Select(i => i.ToString(CultureInfo.InvariantCulture)), bob.Welcome["history"]!.AsArray().Select(m => (string?)m!["text"]));
    }

    [Theory]
    [InlineData("/ws/chat?room=lobby", "name")]
    [InlineData("/ws/chat?room=lobby&name=%20%20", "name")]
    [InlineData("/ws/chat?room=lobby&name=a%0Ab", "name")]
    [InlineData("/ws/chat?room=lobby&name=a%E2%80%AEb", "name")]
    [InlineData("/ws/chat?room=lobby&name=123456789012345678901234567890123", "name")]
    [InlineData("/ws/chat?room=a%2Fb&name=Ana", "room")]
    [InlineData("/ws/chat?room=123456789012345678901234567890123&name=Ana", "room")]
    public async Task Bad_names_are_refused_with_a_reason(string target, string field)
    {
        await using var server = await ChatServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Http };
        using var request = new HttpRequestMessage(HttpMethod.Get, target);
        request.Headers.TryAddWithoutValidation("Connection", "Upgrade");
        request.Headers.TryAddWithoutValidation("Upgrade", "websocket");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");

        using var response = await http.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.StartsWith(field + ": ", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bad_messages_are_refused_and_the_connection_lives_on()
    {
        await using var server = await ChatServer.StartAsync();
        using var ana = await server.JoinAsync("Ana");
        foreach (var (message, why) in ((string, string)[])
        [
            ("{nope", "a message is"), ("null", "type"), ("{\"type\":\"shout\",\"text\":\"x\"}", "type"), ("{\"type\":\"say\"}", "text: empty"),
            ("{\"type\":\"say\",\"text\":\"a\\u0000b\"}", "text: no control"), ("{\"type\":\"say\",\"text\":\"" + new string('é', 1025) + "\"}", "text: at most 2048"),
        ])
        {
            await RefusedAsync(ana, message, why);
        }

        var longest = new string('é', 1024);
        await ana.SayAsync(longest);
        Assert.Equal(longest, (string?)(await ana.NextAsync("message"))["text"]);

        static async Task RefusedAsync(ChatPerson person, string message, string why)
        {
            await person.SendAsync(message);
            Assert.StartsWith(why, (string?)(await person.NextAsync("refused"))["why"], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Frames_over_the_cap_and_binary_frames_end_the_connection()
    {
        await using var server = await ChatServer.StartAsync();
        using var ana = await server.JoinAsync("Ana");
        await ana.SendAsync(new string('x', 17_000));
        Assert.Equal(1009, (await ana.UntilClosedAsync()).Code);

        using var bob = await server.JoinAsync("Bob");
        await bob.Socket.SendAsync(new byte[] { 1 }, WebSocketMessageType.Binary, endOfMessage: true, CancellationToken.None);
        Assert.Equal(1003, (await bob.UntilClosedAsync()).Code);
    }

    [Fact]
    public async Task Who_does_not_read_is_dropped_and_the_others_never_wait()
    {
        await using var server = await ChatServer.StartAsync();
        using var ana = await server.JoinAsync("Ana");
        using var slow = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await slow.ConnectAsync(IPAddress.Loopback, server.Port);
        await slow.SendAsync(Encoding.ASCII.GetBytes(
            "GET /ws/chat?room=lobby&name=Slow HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
        var id = (long?)(await ana.NextAsync("joined"))["member"]!["id"];

        // The kernel takes some megabytes before the outbox of 256 fills. Ana reads what she said before she goes on, or she would be too slow herself.
        var left = await SayUntilLeftAsync(ana);

        Assert.Equal(id, (long?)left["id"]);
        await ana.SayAsync("still here");
        while ((string?)(await ana.NextAsync("message"))["text"] != "still here")
        {
        }

        static async Task<JsonObject> SayUntilLeftAsync(ChatPerson person)
        {
            var text = new string('x', 2048);
            while (true)
            {
                for (var i = 0; i < 50; i++)
                    await person.SayAsync(text);
                for (var i = 0; i < 50; i++)
                {
                    var next = await person.NextAsync("message", "left");
                    if ((string?)next["type"] == "left")
                        return next;
                }
            }
        }
    }

    [Fact]
    public async Task SIGTERM_closes_every_connection_with_1001_and_ends_with_exit_code_0()
    {
        await using var server = await ChatServer.StartAsync();
        using var ana = await server.JoinAsync("Ana");
        using var silent = await server.JoinAsync("Silent");

        server.Process.Terminate();

        // Silent never answers the close: the end must not depend on it.
        Assert.Equal((1001, "this replica is stopping"), await ana.UntilClosedAsync());
        Assert.Equal(0, await server.Process.Exited.WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public async Task The_page_health_and_status_are_served()
    {
        await using var server = await ChatServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Http };

        using var page = await http.GetAsync("/");
        var html = await page.Content.ReadAsStringAsync();
        Assert.Equal("text/html; charset=utf-8", page.Content.Headers.ContentType!.ToString());
        Assert.All(["name", "room", "join", "message", "send", "log", "replica", "state"], id => Assert.Contains($"id=\"{id}\"", html, StringComparison.Ordinal));
        Assert.Contains("default-src 'none'", page.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
        foreach (var file in (string[])["/chat.js", "/chat.css"])
            Assert.Contains($"\"{file}\"", html, StringComparison.Ordinal);
        Assert.DoesNotContain("innerHTML", await http.GetStringAsync("/chat.js"), StringComparison.Ordinal);
        Assert.NotEmpty(await http.GetStringAsync("/chat.css"));
        Assert.Equal("ok\n", await http.GetStringAsync("/healthz"));

        using var ana = await server.JoinAsync("Ana");
        var status = await http.GetFromJsonAsync<JsonObject>("/api/replica");
        Assert.Equal(("replica-7", 1, 1), ((string?)status!["replica"], (int)status["connections"]!, (int)status["rooms"]!));
        using var plain = await http.GetAsync("/ws/chat?name=Ana");
        Assert.Equal(HttpStatusCode.UpgradeRequired, plain.StatusCode);
    }
}
