using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>The other direction: whatever an endpoint says behind, instead of or before an answer, the next client on its connections gets its own.</summary>
public sealed class ResponseSmugglingTests
{
    [Fact]
    public async Task The_next_client_of_a_connection_never_gets_what_was_said_to_another()
    {
        await using var endpoint = new SayingEndpoint();
        await using var gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [endpoint.Port], Backend = "slowStart: 0s, health: {eject: {afterFailures: 1000000}}" });
        var failures = new List<string>();
        for (var i = 0; i < ResponseCatalog.All.Count; i++)
        {
            var said = ResponseCatalog.All[i];
            if (await RunAsync(gateway.Address, said, i).WaitAsync(RawPeer.Patience) is { } failure)
                failures.Add($"{said.Name}: {Parts.Shown(said.Bytes)}\n    {failure}");
            if (endpoint.ServedAfter(i) is var after && after > 0 != said.IsKept)
                failures.Add($"{said.Name}: {Parts.Shown(said.Bytes)}\n    the connection served {after} requests afterwards");
        }

        failures.AddRange(endpoint.Faults);
        Assert.True(failures.Count == 0, $"{failures.Count} of {ResponseCatalog.All.Count}:\n{string.Join('\n', failures.Take(60))}");
        gateway.CheckNeighbour();
    }

    private static async Task<string?> RunAsync(IPEndPoint address, ResponseCase said, int index)
    {
        var placement = new Placement('r', address);
        await using var client = await placement.ConnectAsync();
        var length = said.IsEarly ? "Content-Length: 5\r\n" : "";
        await client.SendAsync(Parts.Bytes(string.Create(CultureInfo.InvariantCulture, $"{said.Method} /said/{index} HTTP/1.1\r\n{Parts.Host}{length}\r\n")));
        var answer = await client.Answers.NextAsync(said.Method == "HEAD");
        string? failure = null;
        // Cut before anything of it has left for the client, an answer is no answer at all.
        if (answer is null ? said.Body is not null || said.Status != 200 : answer.Status != said.Status)
            failure = $"the client got {answer?.Status} {Parts.Shown(answer?.Body ?? "")}";
        else if (answer is null)
            failure = null;
        else if (said.Body is null ? answer.IsWhole && said.Status == 200 : !answer.IsWhole || answer.Body != said.Body)
            failure = $"the client got {(answer.IsWhole ? "" : "a part of ")}{Parts.Shown(answer.Body)}";
        else if (said.Body is null && answer.Body.Contains("smuggled", StringComparison.Ordinal))
            failure = $"the client got {Parts.Shown(answer.Body)}";
        if (said.IsEarly)
            await client.SendAsync("hello"u8.ToArray());

        // Others, on connections of their own: one after the other, so that each finds the connections that wait.
        for (var i = 0; i < 2; i++)
        {
            var target = string.Create(CultureInfo.InvariantCulture, $"/next/{index}/{i}");
            await using var next = await placement.ConnectAsync();
            await next.SendAsync(Parts.Bytes($"GET {target} HTTP/1.1\r\n{Parts.Host}\r\n"));
            if (await next.Answers.NextAsync(isHead: false) is not { Status: 200 } own || own.Body != target)
                failure = (failure is null ? "" : failure + "\n    ") + "the next client did not get its own answer";
        }

        return failure;
    }

    /// <summary>Says what a case says to a request for <c>/said/</c> and its number; to any other, its own target.</summary>
    private sealed class SayingEndpoint : IAsyncDisposable
    {
        private readonly Socket _listener = RawPeer.Listen();
        private readonly ConcurrentDictionary<int, int> _served = new();
        private readonly ConcurrentDictionary<Socket, bool> _open = new();
        private readonly ConcurrentQueue<string> _faults = new();
        private readonly Task _accepting;

        public SayingEndpoint() => _accepting = AcceptAsync();

        public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

        public IReadOnlyCollection<string> Faults => _faults;

        /// <summary>How many requests the connection has served on which the case was said, since then.</summary>
        public int ServedAfter(int index) => _served.GetValueOrDefault(index);

        public async ValueTask DisposeAsync()
        {
            _listener.Dispose();
            foreach (var socket in _open.Keys)
                socket.Dispose();
            await _accepting;
        }

        private async Task AcceptAsync()
        {
            try
            {
                while (true)
                    _ = ServeAsync(await _listener.AcceptAsync());
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Disposed.
            }
        }

        private async Task ServeAsync(Socket socket)
        {
            _open[socket] = true;
            socket.NoDelay = true;
            var pending = new StringBuilder();
            var buffer = new byte[4096];
            int? last = null;
            try
            {
                for (int n; (n = await socket.ReceiveAsync(buffer)) > 0;)
                {
                    pending.Append(Parts.Text(buffer.AsSpan(0, n)));
                    while (StrictReader.Read(pending.ToString(), isEndpoint: true) is { Request: { } request } read)
                    {
                        var isEarly = read.Reading == Reading.NeedMore;
                        if (isEarly && (IndexOf(request) is not { } early || last == early))
                            break;
                        pending.Remove(0, read.Consumed);
                        if (!isEarly && last == IndexOf(request) && last is { } answered && ResponseCatalog.All[answered].IsEarly)
                            continue;
                        if (last is { } before && last != IndexOf(request))
                            _served.AddOrUpdate(before, 1, static (_, served) => served + 1);
                        last = IndexOf(request) ?? last;
                        var said = IndexOf(request) is { } index ? ResponseCatalog.All[index] : null;
                        var text = said?.Bytes ?? string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {request.Target.Length}\r\n\r\n{request.Target}");
                        await socket.SendAsync(Parts.Bytes(text));
                        if (said?.Ends == true)
                            socket.Shutdown(SocketShutdown.Send);
                        if (isEarly)
                            break;
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The gateway has dropped the connection.
            }
            catch (InvalidDataException e)
            {
                _faults.Enqueue(e.Message);
            }

            _open.TryRemove(socket, out _);
            socket.Dispose();
        }

        private static int? IndexOf(StrictRequest request) =>
            request.Target.StartsWith("/said/", StringComparison.Ordinal) ? int.Parse(request.Target.AsSpan(6), CultureInfo.InvariantCulture) : null;
    }
}
