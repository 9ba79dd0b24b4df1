using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;

namespace Holdfast.Functional.Tests.Showcase;

/// <summary>One real Showcase process.</summary>
internal sealed class ChatServer : IAsyncDisposable
{
    private ChatServer(int port, IChildProcess process)
    {
        Port = port;
        Process = process;
    }

    public int Port { get; }

    public IChildProcess Process { get; }

    public Uri Http => new($"http://127.0.0.1:{Port}/");

    public static async Task<ChatServer> StartAsync()
    {
        var port = Processes.FreePort();
        var lines = new Lines();
        var process = ChildProcess.Start(Processes.Showcase.For("replica-7", port), lines.Add, TimeProvider.System);
        await lines.FirstAsync(l => l.Contains("listens on", StringComparison.Ordinal));
        return new ChatServer(port, process);
    }

    public Task<ChatPerson> JoinAsync(string name, string room = "lobby") => ChatPerson.JoinAsync(Port, name, room);

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}

/// <summary>A client; one reader at a time.</summary>
internal sealed class ChatPerson(ClientWebSocket socket) : IDisposable
{
    private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(30));

    public ClientWebSocket Socket { get; } = socket;

    public JsonObject Welcome { get; private set; } = [];

    public static async Task<ChatPerson> JoinAsync(int port, string name, string room = "lobby")
    {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/ws/chat?room={Uri.EscapeDataString(room)}&name={Uri.EscapeDataString(name)}"), CancellationToken.None);
        var person = new ChatPerson(socket);
        person.Welcome = await person.NextAsync("welcome");
        return person;
    }

    public Task SayAsync(string text) => SendAsync(new JsonObject { ["type"] = "say", ["text"] = text }.ToJsonString());

    public Task SendAsync(string message) => Socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, _limit.Token);

    /// <summary>The next message of one of these types; others are passed over.</summary>
    public async Task<JsonObject> NextAsync(params string[] types)
    {
        while (true)
        {
            var message = JsonNode.Parse(await ReadAsync() ?? throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture, $"closed with {(int?)Socket.CloseStatus} {Socket.CloseStatusDescription}")))!.AsObject();
            if (types.Contains((string?)message["type"], StringComparer.Ordinal))
                return message;
        }
    }

    /// <summary>Reads to the close frame and gives its code and reason.</summary>
    public async Task<(int Code, string? Reason)> UntilClosedAsync()
    {
        while (await ReadAsync() is not null)
        {
        }

        return ((int)Socket.CloseStatus!.Value, Socket.CloseStatusDescription);
    }

    public void Dispose()
    {
        Socket.Dispose();
        _limit.Dispose();
    }

    private async Task<string?> ReadAsync()
    {
        var buffer = new byte[256 * 1024];
        var filled = 0;
        while (true)
        {
            var part = await Socket.ReceiveAsync(buffer.AsMemory(filled), _limit.Token);
            if (part.MessageType == WebSocketMessageType.Close)
                return null;
            filled += part.Count;
            if (part.EndOfMessage)
                return Encoding.UTF8.GetString(buffer, 0, filled);
        }
    }
}
