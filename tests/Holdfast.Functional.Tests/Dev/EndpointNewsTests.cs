using System.Collections.Concurrent;
using System.Net;
using Holdfast.Cli.Admin;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>What the gateway is told of its endpoints, and that it is told until it has heard.</summary>
public sealed class EndpointNewsTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
    private readonly Gateway _gateway = new();

    private string FilePath => Path.Combine(_directory, "gateway.yaml");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void The_file_is_replaced_whole_and_only_when_the_endpoints_are_others()
    {
        var news = News();
        news.Tell(["a:1", "b:1"], []);
        Assert.Equal("a:1,b:1", File.ReadAllText(FilePath));
        using (var old = File.OpenText(FilePath))
        {
            news.Tell(["b:1"], []);
            Assert.Equal("a:1,b:1", old.ReadToEnd());
        }

        Assert.Equal("b:1", File.ReadAllText(FilePath));
        File.Delete(FilePath);
        news.Tell(["b:1"], ["b:1"]);
        Assert.Empty(Directory.GetFileSystemEntries(_directory));
    }

    [Fact]
    public async Task A_drain_is_told_once_again_while_refused_and_again_to_a_gateway_that_began_anew()
    {
        var time = new ManualTime();
        var news = News(time);
        using var stop = new CancellationTokenSource();
        var running = news.RunAsync(stop.Token);
        news.Tell(["a:1", "b:1"], ["a:1"]);
        await AskedAsync("POST a:1", time);
        await AskedAsync("POST a:1", time);
        _gateway.Answers = HttpStatusCode.OK;
        await AskedAsync("POST a:1", time);

        // Nothing more to say about it, until the gateway has forgotten.
        news.Tell(["a:1", "b:1"], ["a:1", "b:1"]);
        await AskedAsync("POST b:1", time);
        news.Forget();
        await AskedAsync("POST a:1", time);
        await AskedAsync("POST b:1", time);

        // Cancelled; and one that has gone needs no cancelling.
        news.Tell(["b:1"], []);
        await AskedAsync("DELETE b:1", time);
        news.Tell(["b:1"], ["b:1"]);
        await AskedAsync("POST b:1", time);
        await stop.CancelAsync();
        await running;
        Assert.Empty(_gateway.Asked);
    }

    private async Task AskedAsync(string request, ManualTime time)
    {
        string? asked = null;
        await Processes.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromMilliseconds(10));
                return _gateway.Asked.TryDequeue(out asked);
            },
            request + " was asked");
        Assert.Equal(request, asked);
    }

    private EndpointNews News(TimeProvider? time = null) => new(
        new AdminClient(new HttpClient(_gateway), new Uri("http://admin/")), "app", FilePath, endpoints => string.Join(',', endpoints), time ?? TimeProvider.System);

    private sealed class Gateway : HttpMessageHandler
    {
        private const string Before = "/v1/backends/app/endpoints/";
        private const string After = "/drain";

        private volatile int _answers = (int)HttpStatusCode.NotFound;

        public ConcurrentQueue<string> Asked { get; } = new();

        public HttpStatusCode Answers
        {
            set => _answers = (int)value;
        }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var path = Uri.UnescapeDataString(request.RequestUri!.AbsolutePath);
            Assert.StartsWith(Before, path, StringComparison.Ordinal);
            Assert.EndsWith(After, path, StringComparison.Ordinal);
            Asked.Enqueue($"{request.Method} {path[Before.Length..^After.Length]}");
            return Task.FromResult(new HttpResponseMessage((HttpStatusCode)_answers));
        }
    }
}
