using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Fuzz;
using Holdfast.Fuzz.Http1;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Listeners;
using Holdfast.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Holdfast.Tests.Forwarding;

/// <summary>The guard before the real server, on real sockets: what reaches the application is what the oracle finds in the bytes.</summary>
public sealed class KestrelGuardTests : IAsyncLifetime
{
    private const string Answer = "the application's answer";

    private readonly List<SeenRequest> _seen = [];
    private readonly WebApplication _app;

    public KestrelGuardTests()
    {
        var guards = new RequestGuards(TimeProvider.System);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        // As where connections are handed over: what was flushed has left.
        builder.WebHost.UseKestrelCore().UseSockets(static o => o.MaxWriteBufferSize = 1).ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestLineSize = kestrel.Limits.MaxRequestHeadersTotalSize = 64 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 256;
            kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
            kestrel.Listen(IPAddress.Loopback, 0, l => (l.Protocols, _, _) = (HttpProtocols.Http1, l.Use(WithClient), l.Use(guards.Middleware)));
            kestrel.Listen(IPAddress.Loopback, 0, l => (l.Protocols, _) = (HttpProtocols.Http2, l.Use(WithClient)));
            kestrel.Listen(IPAddress.Loopback, 0, l => (l.Protocols, _) = (HttpProtocols.Http1, l.Use(WithClient)));
        });
        _app = builder.Build();
        _app.Run(ServeAsync);
    }

    [Fact]
    public void Requests_that_reach_the_application_are_those_of_the_oracle()
    {
        var corpus = Corpus.Load("requests");
        var random = new Random(9112);
        var mutator = new Mutator(random);
        var (equal, requests) = (0, 0);
        for (var i = 0; i < 400; i++)
        {
            var input = i < corpus.Count ? corpus[i] : mutator.Mutate(corpus[random.Next(corpus.Count)], corpus);
            if (input.Length <= 2)
                continue;
            var stream = input[2..];
            var expected = RequestOracle.Run(stream, approves: false);
            var whole = expected.End is StreamEnd.Cut or StreamEnd.Broken ? expected.Requests.Count - 1 : expected.Requests.Count;
            var answers = Send(stream, random, out var seen, isDone: text => expected.End is StreamEnd.Clean or StreamEnd.Cut && Count(text) >= whole);
            Assert.True(seen.Count <= whole, $"the application saw more: {Convert.ToBase64String(input)}");
            Assert.Equal(expected.Requests.Take(seen.Count).Select(Brief), seen.Select(Brief));
            // The server itself ends connections too, when asked to, and refuses a little more.
            var isEndedEarlier = seen.Count < whole;
            var mayClose = expected.Requests.Any(static r => r.Head.Contains("close", StringComparison.OrdinalIgnoreCase) || r.Head.Contains("HTTP/1.0", StringComparison.Ordinal));
            Assert.True(
                !isEndedEarlier || mayClose || answers.Contains("HTTP/1.1 400", StringComparison.Ordinal) || answers.EndsWith("reset", StringComparison.Ordinal),
                $"the application saw less: {Convert.ToBase64String(input)}");
            if (!isEndedEarlier && !mayClose && expected.End == StreamEnd.Refused)
                Assert.Contains($"HTTP/1.1 {expected.Status} ", answers, StringComparison.Ordinal);
            equal += isEndedEarlier ? 0 : 1;
            requests += seen.Count;
        }

        Assert.True(equal > 300 && requests > 100, $"{equal} streams to their end, {requests} requests");
    }

    [Fact]
    public void A_refusal_between_requests_leaves_in_order_and_behind_the_answers_before_it()
    {
        const string Good = "GET /good HTTP/1.1\r\nHost: a\r\n\r\n";
        var stream = Encoding.ASCII.GetBytes(Good + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok" + "GET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + new string('x', 100_000) + Good);
        var answers = Send(stream, new Random(1), out var seen, static _ => false);
        Assert.Equal(["GET /good", "POST / ok"], seen.Select(Brief));
        Assert.Equal(2, Count(answers));
        Assert.EndsWith("There must be exactly one valid Host header.\n", answers, StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_without_a_guard_is_served_nothing()
    {
        using var client = RawPeer.Connect(EndPoint(2));
        client.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        var answer = Array.Empty<byte>();
        try
        {
            answer = client.ReceiveToEnd();
        }
        catch (SocketException)
        {
            // Reset.
        }

        Assert.Empty(answer);
    }

    [Fact]
    public async Task Http2_requests_are_the_same_heads()
    {
        using var http = new HttpClient(new SocketsHttpHandler()) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://{EndPoint(1)}/a%2fb?c") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        request.Headers.TryAddWithoutValidation("x-a", "b");
        request.Content = new StringContent("hello");
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)answer.StatusCode);
        var head = _seen[0].Head.Split("\r\n");
        Assert.Equal("POST /a%2fb?c", head[0]);
        Assert.Contains($"Host: {EndPoint(1)}", head);
        Assert.Contains("x-a: b", head);
        Assert.Contains("Content-Length: 5", head);
        Assert.DoesNotContain(head, l => l.StartsWith(':') || l.StartsWith("transfer", StringComparison.OrdinalIgnoreCase));
        Assert.Equal("hello", _seen[0].Body);
    }

    public async ValueTask InitializeAsync() => await _app.StartAsync(TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private static ConnectionDelegate WithClient(ConnectionDelegate next) => connection =>
    {
        connection.Features.Set(new ClientConnection(0, default, isTls: false));
        return next(connection);
    };

    private static string Brief(SeenRequest request)
    {
        var words = request.Head.Split(' ', '\r');
        return $"{words[0]} {words[1]} {request.Body}".TrimEnd();
    }

    private static int Count(string answers) => answers.Split(Answer).Length - 1;

    private IPEndPoint EndPoint(int index) =>
        IPEndPoint.Parse(new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ElementAt(index)).Authority);

    /// <summary>What came back until the server ended the connection, or all is there that can be expected.</summary>
    private string Send(byte[] stream, Random random, out List<SeenRequest> seen, Func<string, bool> isDone)
    {
        lock (_seen)
            _seen.Clear();
        using var client = RawPeer.Connect(EndPoint(0));
        var answers = new StringBuilder();
        var buffer = new byte[65536];
        try
        {
            var at = 0;
            foreach (var piece in random.Next(2) == 0 ? Splits.Whole(stream.Length) : Splits.Random(stream.Length, random))
            {
                client.Send(stream.AsSpan(at, piece));
                at += piece;
            }

            for (int n; !isDone(answers.ToString()) && (n = client.Socket.Receive(buffer)) > 0;)
                answers.Append(Encoding.Latin1.GetString(buffer, 0, n));
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown)
        {
            // The server has gone first, with bytes unread.
            answers.Append("reset");
        }

        lock (_seen)
            seen = [.. _seen];
        return answers.ToString();
    }

    private async Task ServeAsync(HttpContext context)
    {
        using var request = new PlainRequest(context, context.Features.Get<ClientConnection>()!, TrustedProxies.None, "web");
        using var body = new MemoryStream();
        if (request.Framing != Holdfast.Wire.Http1.BodyFraming.None)
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        Assert.Equal(HeadFault.None, request.Fault);
        var head = new StringBuilder().Append(Encoding.Latin1.GetString(request.Head.Method)).Append(' ').Append(Encoding.Latin1.GetString(request.Head.RawTarget)).Append("\r\n");
        for (var i = 0; i < request.Head.HeaderCount; i++)
            head.Append(Encoding.Latin1.GetString(request.Head.Name(i))).Append(": ").Append(Encoding.Latin1.GetString(request.Head.Value(i))).Append("\r\n");
        lock (_seen)
            _seen.Add(new SeenRequest(head.ToString(), Encoding.Latin1.GetString(body.ToArray())));
        await context.Response.WriteAsync(Answer, context.RequestAborted);
    }
}
