using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Rehearse;

namespace Holdfast.Functional.Tests.Holding;

/// <summary><c>holdfast dev --hold opaque</c> as docs/hold.md has it: a client stays while keys roll and kill what it talks to.</summary>
[Collection(NodeSamples.Collection)]
public sealed class DevHoldTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_person_chats_on_in_one_connection_through_a_roll_and_a_kill(bool late)
    {
        await using var dev = DevProcess.Start(late ? ["--replicas", "2", "--hold", "opaque", "--late"] : ["--replicas", "2", "--hold", "opaque"]);
        await dev.UntilReadyAsync(2);
        await dev.UntilEndpointsAsync(2);
        using var client = await Client.ConnectAsync(dev.Port, "/ws/chat?room=lobby&name=Ana");
        Assert.Matches("^replica-[12]$", await WelcomeAsync());

        dev.Press("r");
        await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));

        // An older replica's turn may come after the client has been moved to it, so that it is welcomed more than once.
        var replica = await WelcomeAsync();
        while (replica is "replica-1" or "replica-2")
            replica = await WelcomeAsync();
        await ChatAsync("after the roll");
        await dev.UntilEndpointsAsync(2);
        dev.Press(replica == "replica-3" ? "1" : "2");
        await dev.Lines.FirstAsync(l => l == replica + ": killed with SIGKILL");
        Assert.Matches("^replica-[34]$", await WelcomeAsync());
        await ChatAsync("after the kill");
        await client.CloseAsync();
        await EndedByClientAsync(dev);

        async Task<string> WelcomeAsync() => (string)JsonNode.Parse(await client.UntilAsync(m => m.Contains("\"type\":\"welcome\"", StringComparison.Ordinal)))!["replica"]!;

        async Task ChatAsync(string text)
        {
            await client.SendAsync($$"""{"type":"say","text":"{{text}}"}""");
            await client.UntilAsync(m => m.Contains($"\"text\":\"{text}\"", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_node_server_that_knows_nothing_of_gateways_is_rolled_and_killed_under_its_client(bool late)
    {
        await NodeSamples.InstallAsync();
        string[] arguments = ["--replicas", "1", "--hold", "opaque", "--app", $"node '{Path.Combine(NodeSamples.Folder, "ws-server.js")}'"];
        await using var dev = DevProcess.Start(late ? [.. arguments, "--late"] : arguments);
        await dev.UntilReadyAsync(1);
        await dev.UntilEndpointsAsync(1);
        using var client = await Client.ConnectAsync(dev.Port, "/");
        var first = await HelloAsync();

        dev.Press("r");
        await dev.Lines.FirstAsync(l => l.StartsWith("roll: done", StringComparison.Ordinal));
        var second = await HelloAsync();
        Assert.NotEqual(first, second);
        await EchoAsync("after the roll");

        // The only one there is: the client waits until it has been started again.
        dev.Press("k");
        await dev.Lines.FirstAsync(l => l == "replica-2: killed with SIGKILL");
        Assert.NotEqual(second, await HelloAsync());
        await EchoAsync("after the kill");
        await client.CloseAsync();
        await EndedByClientAsync(dev);

        Task<string> HelloAsync() => client.UntilAsync(m => m.StartsWith("hello from process ", StringComparison.Ordinal));

        async Task EchoAsync(string text)
        {
            await client.SendAsync(text);
            await client.UntilAsync(m => m == text);
        }
    }

    private static async Task EndedByClientAsync(DevProcess dev)
    {
        var ends = await dev.AdminUntilAsync("v1/ends?limit=9", e => e["ends"]!.AsArray().Count > 0);
        Assert.Equal("downstream_close", (string?)Assert.Single(ends["ends"]!.AsArray())!["reason"]);
        dev.Press("q");
        Assert.Equal(0, await dev.ExitAsync());
    }

    /// <summary>One connection, which nobody else may end.</summary>
    private sealed class Client : IDisposable
    {
        private readonly CancellationTokenSource _limit = new(TimeSpan.FromMinutes(2));
        private readonly ClientWebSocket _socket = new();
        private readonly byte[] _buffer = new byte[256 * 1024];

        public static async Task<Client> ConnectAsync(int port, string target)
        {
            var client = new Client();
            await client._socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}{target}"), client._limit.Token);
            return client;
        }

        public Task SendAsync(string text) => _socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, _limit.Token);

        /// <summary>The next such message; others are passed over.</summary>
        public async Task<string> UntilAsync(Func<string, bool> which)
        {
            while (true)
            {
                var filled = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await _socket.ReceiveAsync(_buffer.AsMemory(filled), _limit.Token);
                    Assert.True(part.MessageType == WebSocketMessageType.Text, $"closed with {(int?)_socket.CloseStatus} {_socket.CloseStatusDescription}");
                    filled += part.Count;
                }
                while (!part.EndOfMessage);
                var message = Encoding.UTF8.GetString(_buffer, 0, filled);
                if (which(message))
                    return message;
            }
        }

        public async Task CloseAsync()
        {
            await _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "", _limit.Token);
            Assert.Equal(WebSocketCloseStatus.NormalClosure, _socket.CloseStatus);
        }

        public void Dispose()
        {
            _socket.Dispose();
            _limit.Dispose();
        }
    }
}
