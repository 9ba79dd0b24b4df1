using System.Globalization;
using System.Net;
using System.Threading.Channels;
using Holdfast.Cli.Admin;

namespace Holdfast.Cli.Dev;

/// <summary>The session cannot go on; the message is for the user.</summary>
internal sealed class DevException(string message) : Exception(message);

/// <summary>One run of <c>holdfast dev</c>: replicas, the gateway, the screen, the keys. Nothing is left when it returns.</summary>
/// <param name="options">What was asked for.</param>
/// <param name="configuration">The gateway's.</param>
/// <param name="command">Starts a replica.</param>
/// <param name="tool">This tool's own command.</param>
/// <param name="screen">Where to show it.</param>
/// <param name="keys">Key presses, or null when nobody can press any.</param>
/// <param name="time">The clock.</param>
/// <param name="random">For ports, and for what back-offs are seeded with: those run side by side.</param>
internal sealed class DevSession(
    DevOptions options,
    DevConfiguration configuration,
    ReplicaCommand command,
    IReadOnlyList<string> tool,
    IDevScreen screen,
    ChannelReader<char>? keys,
    TimeProvider time,
    Random random)
{
    /// <summary>Why the session cannot go on; null while it can.</summary>
    private readonly TaskCompletionSource<string> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ports that are not given again for a while: a new pod has a new address too.</summary>
    private readonly Queue<int> _usedPorts = new();

    private volatile bool _gatewayWasReady;

    /// <param name="quit">Stops everything in order.</param>
    /// <param name="hurry">Skips what is left of the order.</param>
    /// <exception cref="DevException">A port is in use, or the gateway does not come up.</exception>
    public async Task RunAsync(CancellationToken quit, CancellationToken hurry)
    {
        foreach (var (port, option) in (ReadOnlySpan<(int, string)>)[(options.Port, "--port"), (options.AdminPort, "--admin-port")])
        {
            if (!FreePorts.IsFree(IPAddress.Loopback, port))
                throw new DevException(string.Create(CultureInfo.InvariantCulture, $"port {port} is in use; choose another with {option}"));
        }

        var directory = Directory.CreateTempSubdirectory("holdfast-dev-");
        try
        {
            await RunInAsync(directory.FullName, quit, hurry);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    private async Task RunInAsync(string directory, CancellationToken quit, CancellationToken hurry)
    {
        using var http = AdminClient.NewHttp(TimeSpan.FromSeconds(1));
        var admin = new AdminClient(http, options.AdminAddress);
        var file = Path.Combine(directory, "gateway.yaml");
        var news = new EndpointNews(admin, configuration.Backend, file, configuration.Text, time);
        var (list, wake) = (new ReplicaList(), new Wake());
        var controller = new ReplicaController(
            (number, generation) => MakeReplica(number, generation, directory, http, wake), list, options.Replicas, options.Late, news, wake, screen.Tell, time);
        var gateway = MakeGateway(file, http, news);
        var model = new DevModel(options, configuration.Backend, list, gateway, new AdminPoller(admin, time), keys is not null);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(quit);
        using var stopScreen = new CancellationTokenSource();
        var showing = screen.RunAsync(model, stopScreen.Token);

        // The replicas first: with them the gateway's configuration is there.
        var replicas = controller.RunAsync(stop.Token, hurry);
        var processes = Task.WhenAll(replicas, gateway.RunAsync(CancellationToken.None, stop.Token, hurry));
        var telling = Task.WhenAll(news.RunAsync(stop.Token), model.Admin.RunAsync(stop.Token));
        var pressing = ObeyKeysAsync(controller, model, stop.Token);

        // Whichever comes first: the signal (through any of the tasks it cancels), the q, a gateway that cannot start, a fault of our own.
        await Task.WhenAny(pressing, _failed.Task, showing, replicas, processes, telling);
        await stop.CancelAsync();
        await processes.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stopScreen.CancelAsync();
        await pressing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await telling;
        await showing;
        await processes;

        if (_failed.Task.IsCompleted)
            throw new DevException(await _failed.Task);
        screen.Say("stopped");
    }

    private Replica MakeReplica(int number, int generation, string temporary, HttpClient http, Wake wake)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"replica-{number}");
        var port = NextPort();
        IReadinessCheck readiness = options.HealthPath is { } path
            ? new HttpReadiness(http, new Uri($"http://{DevGateway.Address(port)}{path}"))
            : new PortReadiness(port);
        var process = new SupervisedProcess(
            name, Start, readiness, configuration.ReplicaEnds(options.Late), new RestartBackOff(new Random(random.Next())), time, happened =>
            {
                screen.Tell(happened);
                wake.Set();
            });
        return new Replica(number, generation, port, process);

        IChildProcess Start(Action<string> tail) => ChildProcess.Start(
            command.For(name, port, temporary),
            line =>
            {
                tail(line);
                screen.Output(name, line);
            },
            time);
    }

    private int NextPort()
    {
        const int Kept = 4 * DevOptions.MaxReplicas;
        var port = FreePorts.Pick(1, random, _usedPorts)[0];
        _usedPorts.Enqueue(port);
        if (_usedPorts.Count > Kept)
            _usedPorts.Dequeue();
        return port;
    }

    private SupervisedProcess MakeGateway(string file, HttpClient http, EndpointNews news) => new(
        "gateway", tail => ChildProcess.Start(DevGateway.For(tool, file), tail, time),
        new HttpReadiness(http, new Uri(options.AdminAddress, "health/ready"), isAskedAgain: false), EndTimes.Quick, new RestartBackOff(new Random(random.Next())), time,
        happened => OnGateway(happened, news));

    private void OnGateway(ProcessEvent happened, EndpointNews news)
    {
        screen.Tell(happened);
        if (happened.Kind == ProcessEventKind.Ready)
        {
            _gatewayWasReady = true;
            news.Forget();
        }

        // Once it has worked it is started again like anything else; a gateway that never came up will not do better the next time.
        if (happened.Kind == ProcessEventKind.Exited && !_gatewayWasReady)
            _failed.TrySetResult("the gateway " + happened.Text);
    }

    /// <summary>Returns when told to quit.</summary>
    private async Task ObeyKeysAsync(ReplicaController controller, DevModel model, CancellationToken stop)
    {
        await foreach (var key in (keys ?? NoKeys()).ReadAllAsync(stop))
        {
            switch (key)
            {
                case 'q' or 'Q':
                    return;
                case 'r' or 'R':
                    controller.Roll();
                    break;
                case '+' or '-':
                    controller.Scale(key == '+' ? 1 : -1);
                    break;
                case 'd' or 'D':
                    controller.ToggleDrain(model.BusiestReady());
                    break;
                case 'k' or 'K':
                    model.Busiest()?.Process.Kill();
                    break;
                case >= '1' and <= '9' when model.Replicas.ElementAtOrDefault(key - '1') is { } replica:
                    replica.Process.Kill();
                    break;
                default:
                    break;
            }
        }

        // The end of the input is no key.
        await Task.Delay(Timeout.InfiniteTimeSpan, time, stop);
    }

    private static ChannelReader<char> NoKeys()
    {
        var none = Channel.CreateBounded<char>(1);
        none.Writer.Complete();
        return none.Reader;
    }
}
