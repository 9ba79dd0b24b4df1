using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Functional.Tests.Gateway;

/// <summary>The field's own libraries on both sides: Node's ws, .NET's ClientWebSocket and Kestrel, in all pairs.</summary>
public sealed class RealPartsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("node", "node")]
    [InlineData("node", "kestrel")]
    [InlineData("dotnet", "node")]
    [InlineData("dotnet", "kestrel")]
    public async Task Clients_and_servers_understand_each_other_through_the_gateway(string client, string server)
    {
        if (client == "node" || server == "node")
            await NodeParts.RequireAsync();
        await using var echo = await StartServerAsync(server);
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [echo.Port] });
        if (client == "node")
            await NodeParts.RunClientAsync(gateway.Address.Port);
        else
            await UseDotNetClientAsync(new Uri($"ws://127.0.0.1:{gateway.Address.Port}/ws"));
        await gateway.SettledAsync();
    }

    [Fact]
    public async Task A_thousand_clients_at_once_are_echoed()
    {
        await using var echo = await KestrelEcho.StartAsync();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [echo.Port] });
        var url = new Uri($"ws://127.0.0.1:{gateway.Address.Port}/ws");
        var sockets = new ClientWebSocket[1000];
        await Parallel.ForAsync(0, sockets.Length, new ParallelOptions { MaxDegreeOfParallelism = 50, CancellationToken = Cancel }, async (i, cancel) =>
        {
            sockets[i] = new ClientWebSocket();
            await sockets[i].ConnectAsync(url, cancel);
        });
        Assert.Equal(1001, gateway.Host.Runtime.Established);
        for (var round = 0; round < 3; round++)
            await Task.WhenAll(sockets.Select((s, i) => EchoAsync(s, WebSocketMessageType.Text, Encoding.UTF8.GetBytes($"{round} of {i}"))));
        await Task.WhenAll(sockets.Select(s => s.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", Cancel)));
        Array.ForEach(sockets, s => s.Dispose());

        await gateway.SettledAsync();
        Assert.Equal(1000, await gateway.MetricAsync("holdfast_connection_ends_total", "reason=\"downstream_close\""));
        Assert.Equal(3000, await gateway.MetricAsync("holdfast_messages_total", "direction=\"to_client\"", "backend=\"test\""));
    }

    [Fact]
    public async Task A_message_of_64_MiB_streams_both_ways_in_bounded_memory()
    {
        const int Piece = 64 * 1024, Pieces = 1024;
        await using var echo = await KestrelEcho.StartAsync();
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [echo.Port] });
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{gateway.Address.Port}/ws"), Cancel);
        await EchoAsync(socket, WebSocketMessageType.Binary, new byte[Piece]);
        var before = gateway.PrivateDirty();
        var most = 0L;
        var sent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var received = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var sending = Task.Run(
            async () =>
            {
                var random = new Random(64);
                var piece = new byte[Piece];
                for (var i = 1; i <= Pieces; i++)
                {
                    random.NextBytes(piece);
                    sent.AppendData(piece);
                    await socket.SendAsync(piece, WebSocketMessageType.Binary, endOfMessage: i == Pieces, Cancel);
                }
            },
            Cancel);
        var buffer = new byte[Piece];
        var total = 0L;
        var reads = 0;
        ValueWebSocketReceiveResult part;
        do
        {
            part = await socket.ReceiveAsync(buffer.AsMemory(), Cancel);
            total += part.Count;
            received.AppendData(buffer, 0, part.Count);
            if (reads++ % 64 == 0)
                most = Math.Max(most, gateway.PrivateDirty());
        }
        while (!part.EndOfMessage);
        await sending;

        Assert.Equal((long)Piece * Pieces, total);
        Assert.Equal(sent.GetHashAndReset(), received.GetHashAndReset());
        // Two spills of 1 MiB at most belong to it; the rest is slack for the runtime's own life.
        Assert.InRange(most - before, long.MinValue, 16 << 20);
        sent.Dispose();
        received.Dispose();
    }

    [Fact]
    public async Task Compressed_messages_pass_compressed()
    {
        using var endpoints = RawPeer.Listen();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [((IPEndPoint)endpoints.LocalEndPoint!).Port] });
        using var socket = new ClientWebSocket();
        socket.Options.DangerousDeflateOptions = new WebSocketDeflateOptions();
        var connecting = socket.ConnectAsync(new Uri($"ws://127.0.0.1:{gateway.Address.Port}/ws"), Cancel);
        using var endpoint = await Task.Run(() => RawPeer.Accept(endpoints), Cancel);
        Assert.Contains("permessage-deflate", Upgrades.Value(endpoint.AnswerUpgrade("Sec-WebSocket-Extensions: permessage-deflate"), "Sec-WebSocket-Extensions"), StringComparison.Ordinal);
        await connecting;
        await socket.SendAsync(Encoding.UTF8.GetBytes(new string('a', 60_000)), WebSocketMessageType.Text, endOfMessage: true, Cancel);

        var start = endpoint.Receive(4);
        Assert.Equal(0xC1, start[0]);           // FIN, RSV1, text.
        Assert.Equal(0x80, start[1] & 0x80);
        var length = (start[1] & 0x7F) == 126 ? BinaryPrimitives.ReadUInt16BigEndian(start.AsSpan(2)) : start[1] & 0x7F;
        Assert.InRange(length, 1, 600);
        socket.Abort();
    }

    private static async Task UseDotNetClientAsync(Uri url)
    {
        foreach (var deflate in (bool[])[false, true])
        {
            using var socket = new ClientWebSocket();
            socket.Options.AddSubProtocol("chat.v2");
            socket.Options.AddSubProtocol("chat.v1");
            if (deflate)
                socket.Options.DangerousDeflateOptions = new WebSocketDeflateOptions();
            await socket.ConnectAsync(url, Cancel);
            Assert.Equal("chat.v2", socket.SubProtocol);
            await EchoAsync(socket, WebSocketMessageType.Text, "text \u00e9 \ud83d\udc4d"u8.ToArray());
            await EchoAsync(socket, WebSocketMessageType.Text, []);
            await EchoAsync(socket, WebSocketMessageType.Binary, []);
            foreach (var size in (int[])[1, 125, 126, 65535, 65536, 1 << 20])
                await EchoAsync(socket, WebSocketMessageType.Binary, RandomNumberGenerator.GetBytes(size));

            var receiving = ReceiveAsync(socket);
            foreach (var part in (string[])["one ", "", "two ", "three"])
                await socket.SendAsync(Encoding.UTF8.GetBytes(part), WebSocketMessageType.Text, endOfMessage: part == "three", Cancel);
            Assert.Equal("one two three", Encoding.UTF8.GetString((await receiving).Bytes));

            if (deflate)
            {
                await socket.CloseAsync((WebSocketCloseStatus)4321, "au revoir \u00e9", Cancel);
                Assert.Equal((4321, "au revoir \u00e9"), ((int)socket.CloseStatus!.Value, socket.CloseStatusDescription));
                continue;
            }

            await socket.SendAsync("close 3456 told so"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, Cancel);
            Assert.Equal(WebSocketMessageType.Close, (await ReceiveAsync(socket)).Type);
            Assert.Equal((3456, "told so"), ((int)socket.CloseStatus!.Value, socket.CloseStatusDescription));
            await socket.CloseAsync(socket.CloseStatus.Value, socket.CloseStatusDescription, Cancel);
        }
    }

    private static async Task EchoAsync(ClientWebSocket socket, WebSocketMessageType type, byte[] message)
    {
        var receiving = ReceiveAsync(socket);
        await socket.SendAsync(message, type, endOfMessage: true, Cancel);
        var (received, bytes) = await receiving;
        Assert.Equal(type, received);
        Assert.True(message.AsSpan().SequenceEqual(bytes), "the message was changed");
    }

    private static async Task<(WebSocketMessageType Type, byte[] Bytes)> ReceiveAsync(ClientWebSocket socket)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(), Cancel);
            all.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
                return (part.MessageType, all.ToArray());
        }
    }

    private static async Task<IEchoServer> StartServerAsync(string kind) => kind == "node" ? await NodeParts.StartServerAsync() : await KestrelEcho.StartAsync();
}

internal interface IEchoServer : IAsyncDisposable
{
    int Port { get; }
}

/// <summary>Kestrel's WebSockets: echoes piece by piece, the first offered sub-protocol chosen, "close CODE REASON" obeyed.</summary>
internal sealed class KestrelEcho(WebApplication app, int port) : IEchoServer
{
    public int Port { get; } = port;

    public static async Task<KestrelEcho> StartAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        builder.Services.AddOptions();
        var app = builder.Build();
        app.UseWebSockets();
        app.Run(async context =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext
            {
                SubProtocol = context.WebSockets.WebSocketRequestedProtocols is [var first, ..] ? first : null,
                DangerousEnableCompression = true,
            });
            await EchoAsync(socket, context.RequestAborted);
        });
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return new KestrelEcho(app, new Uri(address).Port);
    }

    public async ValueTask DisposeAsync()
    {
        using (var now = new CancellationTokenSource(TimeSpan.FromSeconds(2)))
            await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }

    private static async Task EchoAsync(WebSocket socket, CancellationToken cancel)
    {
        var buffer = new byte[16 * 1024];
        var isFirst = true;
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(), cancel);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    if (socket.CloseStatus is { } status && status != WebSocketCloseStatus.Empty)
                        await socket.CloseOutputAsync(status, socket.CloseStatusDescription, cancel);
                    else
                        await socket.CloseOutputAsync(WebSocketCloseStatus.Empty, null, cancel);
                    return;
                }

                if (isFirst && part.EndOfMessage && Encoding.UTF8.GetString(buffer, 0, part.Count).Split(' ', 3) is ["close", var code, var reason])
                {
                    await socket.CloseAsync((WebSocketCloseStatus)int.Parse(code, CultureInfo.InvariantCulture), reason, cancel);
                    return;
                }

                await socket.SendAsync(buffer.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, cancel);
                isFirst = part.EndOfMessage;
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // The client left.
        }
    }
}

/// <summary>Node and its packages, installed once per run into the test's output.</summary>
internal static class NodeParts
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Gateway", "node");
    private static readonly SemaphoreSlim Installing = new(1, 1);

    public static string Modules => Path.Combine(Folder, "node_modules");

    /// <summary>Skips the test, or fails where CI=true, when Node is missing.</summary>
    public static async Task RequireAsync()
    {
        foreach (var tool in (string[])["node", "npm"])
        {
            if (Requires.Tool(tool) is { } reason)
                Assert.Skip(reason);
        }

        await Installing.WaitAsync();
        try
        {
            await InstallAsync();
        }
        finally
        {
            Installing.Release();
        }
    }

    public static async Task<IEchoServer> StartServerAsync()
    {
        var lines = new Lines();
        var process = ChildProcess.Start(new ChildSpec("node", [Path.Combine(Folder, "echo-server.js")], new Dictionary<string, string>(StringComparer.Ordinal)), lines.Add, TimeProvider.System);
        return new NodeServer(process, await lines.NumberAsync("port"));
    }

    public static async Task RunClientAsync(int port)
    {
        var lines = new Lines();
        await using var process = ChildProcess.Start(
            new ChildSpec("node", [Path.Combine(Folder, "client.js"), string.Create(CultureInfo.InvariantCulture, $"ws://127.0.0.1:{port}/ws"), "deflate"], new Dictionary<string, string>(StringComparer.Ordinal)),
            lines.Add,
            TimeProvider.System);
        var exit = await process.Exited.WaitAsync(RawPeer.Patience + RawPeer.Patience);
        Assert.True(exit == 0 && lines.All.Contains("ok", StringComparer.Ordinal), string.Join('\n', lines.All));
    }

    private static async Task InstallAsync()
    {
        if (Directory.Exists(Path.Combine(Modules, "ws")))
            return;
        var lines = new Lines();
        await using var npm = ChildProcess.Start(
            new ChildSpec("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", Folder], new Dictionary<string, string>(StringComparer.Ordinal)), lines.Add, TimeProvider.System);
        Assert.True(await npm.Exited.WaitAsync(TimeSpan.FromMinutes(2)) == 0, "npm ci failed: " + string.Join('\n', lines.All));
    }

    private sealed class NodeServer(ChildProcess process, int port) : IEchoServer
    {
        public int Port { get; } = port;

        public ValueTask DisposeAsync() => process.DisposeAsync();
    }
}
