using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

public sealed class DevSessionTests
{
    private const string Listener = "node -e \"require('net').createServer().listen(+process.env.PORT, '127.0.0.1', () => console.log('self=' + process.pid))\"";

    [Theory]
    [InlineData("--port")]
    [InlineData("--admin-port")]
    public async Task A_port_in_use_is_named_with_its_option_before_anything_is_started(string option)
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var screen = new RecordingScreen();
        var options = option == "--port" ? Options(port, Processes.FreePort()) : Options(Processes.FreePort(), port);

        var fault = await Assert.ThrowsAsync<DevException>(() => Session(options, ["/bin/false"], screen).RunAsync(CancellationToken.None, CancellationToken.None));

        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"port {port} is in use; choose another with {option}"), fault.Message);
        Assert.Empty(screen.Events);
    }

    [Fact]
    public async Task A_gateway_that_does_not_come_up_ends_the_session_and_nothing_is_left()
    {
        var screen = new RecordingScreen();
        var fault = await Assert.ThrowsAsync<DevException>(() => Session(
            Options(Processes.FreePort(), Processes.FreePort()), ["/bin/sh", "-c", "echo listeners: bad; exit 2"], screen).RunAsync(CancellationToken.None, CancellationToken.None));

        Assert.Equal("the gateway exited with code 2", fault.Message);
        Assert.Equal(["listeners: bad"], screen.Events.Single(e => e is { Process: "gateway", Kind: ProcessEventKind.Exited }).LastOutput);
        AssertAllGone(screen);
    }

    [Fact]
    public async Task Keys_kill_the_busiest_replica_or_a_given_one_and_quit()
    {
        // It knows five connections, all of the second endpoint.
        const string Gateway = """
            const file = require('fs').readFileSync(process.argv.at(-1), 'utf8');
            const endpoints = [...file.matchAll(/- (127\S+)/g)].map((m, i) => ({ address: m[1], phase: 'ready', health: 'healthy', connections: i * 5 }));
            require('http').createServer((q, r) => r.end(JSON.stringify({ backends: [{ name: 'app', endpoints }], ends: [] }))).listen(+process.env.ADMIN, '127.0.0.1');
            """;
        var screen = new RecordingScreen();
        var options = Options(Processes.FreePort(), Processes.FreePort());
        var keys = Channel.CreateUnbounded<char>();
        var running = Session(options, Node(options, Gateway), screen, keys.Reader).RunAsync(CancellationToken.None, CancellationToken.None);
        await Processes.UntilAsync(() => screen.Events.Count(e => e.Kind == ProcessEventKind.Ready) == 3, "all were ready");
        await Processes.UntilAsync(() => screen.Model!.Admin.View.Endpoints.Count == 3, "the gateway told of all of them");

        await keys.Writer.WriteAsync('k');
        await Processes.UntilAsync(() => screen.Model!.Replicas[1].Process.Snapshot is { State: ProcessState.Ready, Restarts: 1 }, "the second was back");
        Assert.Equal(0, screen.Model!.Replicas[0].Process.Snapshot.Restarts);

        await keys.Writer.WriteAsync('9');
        await keys.Writer.WriteAsync('1');
        await Processes.UntilAsync(() => screen.Model!.Replicas[0].Process.Snapshot is { State: ProcessState.Ready, Restarts: 1 }, "the first was back");
        Assert.Equal(["replica-2", "replica-1"], screen.Events.Where(e => e.Kind == ProcessEventKind.Killed).Select(e => e.Process));

        await keys.Writer.WriteAsync('q');
        await running;
        AssertAllGone(screen);
    }

    [Fact]
    public async Task Quitting_ends_every_process_and_removes_the_configuration()
    {
        // A gateway of one line: it is ready at once and knows no replica.
        const string Gateway = """
            require('http').createServer((q, r) => r.end('{}')).listen(+process.env.ADMIN, '127.0.0.1');
            """;
        var screen = new RecordingScreen();
        var options = Options(Processes.FreePort(), Processes.FreePort());
        using var quit = new CancellationTokenSource();
        var running = Session(options, Node(options, Gateway), screen).RunAsync(quit.Token, CancellationToken.None);
        await Processes.UntilAsync(() => screen.Events.Count(e => e.Kind == ProcessEventKind.Ready) == 3, "all were ready");
        var model = screen.Model!;
        Assert.All(model.Replicas, r => Assert.True(Processes.IsAlive(r.Process.Snapshot.ProcessId)));
        Assert.Single(Directory.GetDirectories(Path.GetTempPath(), "holdfast-dev-*"), d => File.ReadAllText(Path.Combine(d, "gateway.yaml"))
            .Contains(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{options.Port}\n"), StringComparison.Ordinal));

        await quit.CancelAsync();
        await running;

        AssertAllGone(screen);
        Assert.DoesNotContain(Directory.GetDirectories(Path.GetTempPath(), "holdfast-dev-*"), d => File.ReadAllText(Path.Combine(d, "gateway.yaml"))
            .Contains(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{options.Port}\n"), StringComparison.Ordinal));
        Assert.Equal(["stopped"], screen.Sentences);
    }

    private static DevOptions Options(int port, int adminPort) => new(Listener, 2, port, adminPort, null);

    private static DevSession Session(DevOptions options, IReadOnlyList<string> tool, IDevScreen screen, ChannelReader<char>? keys = null) =>
        new(options, DevConfiguration.Read(options), ReplicaCommand.ForApp(options.App!), tool, screen, keys, TimeProvider.System, new Random());

    /// <summary>In the gateway's place: a script, with its admin port in ADMIN and the configuration as its last argument.</summary>
    private static string[] Node(DevOptions options, string script) =>
        ["/usr/bin/env", string.Create(CultureInfo.InvariantCulture, $"ADMIN={options.AdminPort}"), "node", "-e", script, "--"];

    private static void AssertAllGone(RecordingScreen screen)
    {
        var model = screen.Model!;
        Assert.All(model.Replicas.Select(r => r.Process).Append(model.Gateway), p => Assert.Equal(ProcessState.Stopped, p.Snapshot.State));
        Assert.All(screen.Started, id => Assert.False(Processes.IsAlive(id)));
        Assert.NotEmpty(screen.Started);
    }

    private sealed class RecordingScreen : IDevScreen
    {
        public ConcurrentQueue<ProcessEvent> Events { get; } = new();

        public ConcurrentQueue<string> Sentences { get; } = new();

        public DevModel? Model { get; private set; }

        public IEnumerable<int> Started => Events.Where(e => e.Kind == ProcessEventKind.Started).Select(e => int.Parse(e.Text.Split(' ')[^1], CultureInfo.InvariantCulture));

        public void Tell(ProcessEvent happened) => Events.Enqueue(happened);

        public void Output(string replica, string line)
        {
        }

        public Task RunAsync(DevModel model, CancellationToken stop)
        {
            Model = model;
            return Task.Delay(Timeout.InfiniteTimeSpan, stop).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        public void Say(string sentence) => Sentences.Enqueue(sentence);
    }
}
