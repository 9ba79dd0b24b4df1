using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>What an endpoint has seen of one request.</summary>
internal sealed record Sighting(int Order, StrictRequest Request, bool IsWhole)
{
    /// <summary>What came after the endpoint's 101.</summary>
    public string Tunnel { get; init; } = "";

    public bool IsUpgrade => Request.Values("Upgrade").Any();
}

/// <summary>
/// An endpoint that keeps every byte of every connection, reads them strictly, and answers each request with what it has seen. What is no request to it is a fault.
/// </summary>
internal sealed partial class RecordingEndpoint : IAsyncDisposable
{
    private readonly Socket _listener = RawPeer.Listen();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Sighting>> _seen = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _faults = new();
    private readonly ConcurrentDictionary<int, Socket> _open = new();
    private readonly Task _accepting;
    private int _order, _connections;

    public RecordingEndpoint() => _accepting = AcceptAsync();

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>What no gateway may send.</summary>
    public IReadOnlyCollection<string> Faults => _faults;

    public int Connections => _connections;

    /// <summary>Connections that are open now.</summary>
    public int Open => _open.Count;

    /// <summary>Connections whose last bytes are a part of a request.</summary>
    public int HalfRequests { get; private set; }

    public IReadOnlyCollection<string> Ids => [.. _seen.Keys];

    /// <summary>What was seen under an id, in its order.</summary>
    public IReadOnlyList<Sighting> Of(string id) => _seen.TryGetValue(id, out var seen) ? [.. seen.OrderBy(s => s.Order)] : [];

    /// <summary>How the endpoint answers an upgrade to a target that ends in `deny`, or `deny` and a status; null: with 101.</summary>
    public static int? DenialOf(string name) => name.StartsWith("deny", StringComparison.Ordinal)
        ? name.Length == 4 ? 403 : int.Parse(name.AsSpan(4), CultureInfo.InvariantCulture)
        : null;

    /// <summary>The body of the answer to a request: who reads it knows which request it answers.</summary>
    public static string EchoOf(string method, string target, string body) => string.Create(CultureInfo.InvariantCulture, $"{method} {target} {body.Length}\n");

    /// <summary>Whether a line is one of <see cref="EchoOf"/>'s.</summary>
    public static bool IsEcho(string line) => Echo().IsMatch(line);

    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        foreach (var socket in _open.Values)
            socket.Dispose();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptAsync(), Interlocked.Increment(ref _connections));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeAsync(Socket socket, int number)
    {
        _open[number] = socket;
        socket.NoDelay = true;
        var pending = new StringBuilder();
        Sighting? tunnel = null;
        var continued = false;
        var buffer = new byte[16 * 1024];
        try
        {
            for (int n; (n = await socket.ReceiveAsync(buffer)) > 0;)
            {
                pending.Append(Parts.Text(buffer.AsSpan(0, n)));
                while (tunnel is null && pending.Length > 0)
                {
                    var read = StrictReader.Read(pending.ToString(), isEndpoint: true);
                    if (read.Reading == Reading.NeedMore)
                    {
                        if (!continued && read.Request?.Lists("Expect", "100-continue") == true)
                        {
                            continued = true;
                            await socket.SendAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
                        }

                        break;
                    }

                    continued = false;
                    if (read.Reading == Reading.Refused)
                        throw new InvalidDataException("no request: " + Parts.Shown(pending.ToString()));
                    pending.Remove(0, read.Consumed);
                    var seen = new Sighting(Interlocked.Increment(ref _order), read.Request!, IsWhole: true);
                    if (seen.IsUpgrade && DenialOf(NameOf(seen.Request)) is null)
                        tunnel = seen;
                    else
                        Record(seen);
                    // Nobody may send a request behind one that is not answered: an answer too many would be another client's.
                    if (tunnel is null && pending.Length > 0)
                        throw new InvalidDataException($"bytes behind {seen.Request.Method} {seen.Request.Target}: " + Parts.Shown(pending.ToString()));
                    await socket.SendAsync(Parts.Bytes(AnswerTo(seen)));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Aborted by the gateway.
        }
        catch (InvalidDataException e)
        {
            _faults.Enqueue(e.Message);
        }

        if (tunnel is not null)
            Record(tunnel with { Tunnel = pending.ToString() });
        else if (pending.Length > 0)
            RecordPart(pending.ToString());
        _open.TryRemove(number, out _);
        socket.Dispose();
    }

    private void RecordPart(string pending)
    {
        lock (_faults)
            HalfRequests++;
        var part = StrictReader.Read(pending, isEndpoint: true);
        if (part is { Reading: Reading.NeedMore, Request: { } head })
            Record(new Sighting(Interlocked.Increment(ref _order), head, IsWhole: false));
        else if (part.Reading == Reading.NeedMore)
            _faults.Enqueue("a part of a head: " + Parts.Shown(pending));
    }

    private void Record(Sighting seen)
    {
        foreach (var fault in HeaderRules.FaultsOf(seen.Request))
            _faults.Enqueue($"{fault}: {seen.Request.Method} {seen.Request.Target} {string.Join(" | ", seen.Request.Headers)}");
        var id = IdOf().Match(seen.Request.Target + " " + string.Join(' ', seen.Request.Headers.Select(h => h.Value))).Value;
        if (id.Length == 0)
            _faults.Enqueue("nobody's request: " + seen.Request.Method + " " + Parts.Shown(seen.Request.Target));
        else
            _seen.GetOrAdd(id, static _ => new()).Enqueue(seen);
    }

    private static string NameOf(StrictRequest request) => request.Target[(request.Target.LastIndexOf('/') + 1)..];

    private static string AnswerTo(Sighting seen)
    {
        var request = seen.Request;
        var body = EchoOf(request.Method, request.Target, request.Body);
        if (seen.IsUpgrade)
        {
            return DenialOf(NameOf(request)) is { } status
                ? string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} Denied\r\nContent-Length: {body.Length}\r\n\r\n{body}")
                : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
                    + Upgrades.AcceptFor(request.Values("Sec-WebSocket-Key").First()) + "\r\n\r\n";
        }

        return string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {body.Length}\r\n\r\n{(request.Method == "HEAD" ? "" : body)}");
    }

    [GeneratedRegex("^[^ ]+ /[^ ]* [0-9]+$")]
    private static partial Regex Echo();

    [GeneratedRegex("k[0-9]{5}[a-zA-Z]")]
    private static partial Regex IdOf();
}
