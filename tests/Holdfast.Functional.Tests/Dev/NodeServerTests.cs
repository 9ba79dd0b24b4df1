using System.Diagnostics;
using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using Holdfast.Functional.Tests.Rehearse;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>Unmodified Node servers, with no health path and no knowledge of gateways, behind <c>holdfast dev --app</c>.</summary>
[Collection(NodeSamples.Collection)]
public sealed class NodeServerTests
{
    [Fact]
    public async Task A_ws_server_is_ready_when_its_port_accepts_and_echoes_through_the_gateway()
    {
        await using var dev = await StartAsync("ws-server.js");
        using var client = await ConnectAsync(dev, "/");
        Assert.StartsWith("hello from process", await client.ReceiveAsync(), StringComparison.Ordinal);

        await client.SendAsync("through the gateway");

        Assert.Equal("through the gateway", await client.ReceiveAsync());
    }

    [Fact]
    public async Task A_socket_io_server_is_ready_when_its_port_accepts_and_echoes_through_the_gateway()
    {
        await using var dev = await StartAsync("socketio-server.js");
        using var client = await ConnectAsync(dev, "/socket.io/?EIO=4&transport=websocket");

        // Engine.IO: 0 opens, 4 carries a message. Socket.IO in it: 0 connects the namespace, 2 is an event.
        Assert.StartsWith("0{\"sid\":", await client.ReceiveAsync(), StringComparison.Ordinal);
        await client.SendAsync("40");
        Assert.StartsWith("40{\"sid\":", await client.ReceiveAsync(), StringComparison.Ordinal);
        Assert.StartsWith("42[\"said\",\"hello from process", await client.ReceiveAsync(), StringComparison.Ordinal);

        await client.SendAsync("42[\"say\",\"through the gateway\"]");

        Assert.Equal("42[\"said\",\"through the gateway\"]", await client.ReceiveAsync());
    }

    [Fact]
    public async Task The_picture_of_a_roll_is_drawn_from_who_came_back()
    {
        await NodeSamples.InstallAsync();
        var folder = NodeSamples.Folder;
        var directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
        try
        {
            var output = Path.Combine(directory, "roll");
            var start = new ProcessStartInfo("node", [
                Path.Combine(folder, "roll", "roll.js"), "--clients", "30", "--replicas", "2", "--drain", "2s", "--out", output,
                "--tool", "dotnet " + Path.Combine(Processes.ToolDirectory, "holdfast.dll")])
            { UseShellExecute = false };
            start.Environment["TMPDIR"] = directory;
            using var node = Process.Start(start)!;
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            await node.WaitForExitAsync(limit.Token);
            Assert.Equal(0, node.ExitCode);

            // Everybody was closed at least once and came back each time, in both rolls.
            var lines = (await File.ReadAllLinesAsync(output + ".csv")).Skip(1).Select(l => l.Split(',')).ToList();
            foreach (var drain in (string[])["2s", "0s"])
                Assert.InRange(lines.Where(l => l[1] == drain).Sum(l => int.Parse(l[2], CultureInfo.InvariantCulture)), 30, 60);
            Assert.Contains("drain.duration: 2s", await File.ReadAllTextAsync(output + ".svg"), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<DevProcess> StartAsync(string server)
    {
        await NodeSamples.InstallAsync();
        var folder = NodeSamples.Folder;
        var dev = DevProcess.Start("--replicas", "2", "--app", $"node '{Path.Combine(folder, server)}'");
        await dev.UntilReadyAsync(2);
        return dev;
    }

    private static async Task<Client> ConnectAsync(DevProcess dev, string target)
    {
        var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"ws://127.0.0.1:{dev.Port}{target}")), CancellationToken.None);
        return new Client(socket);
    }

    private sealed class Client(ClientWebSocket socket) : IDisposable
    {
        private readonly CancellationTokenSource _limit = new(TimeSpan.FromSeconds(20));

        public Task SendAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, _limit.Token);

        public async Task<string> ReceiveAsync()
        {
            var buffer = new byte[4096];
            var read = await socket.ReceiveAsync(buffer.AsMemory(), _limit.Token);
            Assert.True(read.EndOfMessage);
            return Encoding.UTF8.GetString(buffer, 0, read.Count);
        }

        public void Dispose()
        {
            socket.Dispose();
            _limit.Dispose();
        }
    }
}
