using System.Globalization;
using System.Net;
using System.Threading.Channels;

namespace Holdfast.Cli.Dev;

/// <summary>The session cannot go on; the message is for the user.</summary>
internal sealed class DevException(string message) : Exception(message);

/// <summary>One run of <c>holdfast dev</c>: replicas, the gateway, the screen, the keys. Nothing is left when it returns.</summary>
/// <param name="options">What was asked for.</param>
/// <param name="command">Starts a replica.</param>
/// <param name="tool">This tool's own command.</param>
/// <param name="screen">Where to show it.</param>
/// <param name="keys">Key presses, or null without a terminal.</param>
/// <param name="time">The clock.</param>
/// <param name="random">For ports and back-off.</param>
internal sealed class DevSession(
    DevOptions options,
    ReplicaCommand command,
    IReadOnlyList<string> tool,
    IDevScreen screen,
    ChannelReader<char>? keys,
    TimeProvider time,
    Random random)
{
    /// <summary>Why the session cannot go on; null while it can.</summary>
    private readonly TaskCompletionSource<string> _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

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
        using var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false })
        {
            Timeout = TimeSpan.FromSeconds(1),
            MaxResponseContentBufferSize = 16 << 20,
        };
        var ports = FreePorts.Pick(options.Replicas, random);
        var configuration = Path.Combine(directory, "gateway.yaml");
        await File.WriteAllTextAsync(configuration, DevGateway.Configuration(options, ports), CancellationToken.None);
        var model = new DevModel(
            options, [.. ports.Select((port, i) => MakeReplica(i + 1, port, directory, http))], MakeGateway(configuration, http),
            new AdminPoller(http, options.AdminAddress, time), keys is not null);

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(quit);
        using var stopScreen = new CancellationTokenSource();
        var showing = screen.RunAsync(model, stopScreen.Token);
        var processes = Task.WhenAll(model.Replicas.Select(r => r.Process).Append(model.Gateway).Select(p => p.RunAsync(stop.Token, hurry)));
        var polling = model.Admin.RunAsync(stop.Token);
        var pressing = keys is null ? Task.Delay(Timeout.InfiniteTimeSpan, time, stop.Token) : ObeyKeysAsync(keys, model, stop.Token);

        // Whichever comes first: the signal (through any of the tasks it cancels), the q, a gateway that cannot start, a fault of our own.
        await Task.WhenAny(pressing, _failed.Task, showing, processes, polling);
        await stop.CancelAsync();
        await processes;
        await stopScreen.CancelAsync();
        await pressing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await polling;
        await showing;

        if (_failed.Task.IsCompleted)
            throw new DevException(await _failed.Task);
        screen.Say("stopped");
    }

    private Replica MakeReplica(int number, int port, string temporary, HttpClient http)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"replica-{number}");
        IReadinessCheck readiness = options.HealthPath is { } path
            ? new HttpReadiness(http, new Uri($"http://{DevGateway.Address(port)}{path}"))
            : new PortReadiness(port);
        return new Replica(new SupervisedProcess(name, Start, readiness, new RestartBackOff(random), time, screen.Tell), port);

        IChildProcess Start(Action<string> tail) => ChildProcess.Start(
            command.For(name, port, temporary),
            line =>
            {
                tail(line);
                screen.Output(name, line);
            },
            time);
    }

    private SupervisedProcess MakeGateway(string configuration, HttpClient http) => new(
        "gateway", tail => ChildProcess.Start(DevGateway.For(tool, configuration), tail, time),
        new HttpReadiness(http, new Uri(options.AdminAddress, "health/ready")), new RestartBackOff(random), time, OnGateway);

    private void OnGateway(ProcessEvent happened)
    {
        screen.Tell(happened);
        if (happened.Kind == ProcessEventKind.Ready)
            _gatewayWasReady = true;

        // Once it has worked it is started again like anything else; a gateway that never came up will not do better the next time.
        if (happened.Kind == ProcessEventKind.Exited && !_gatewayWasReady)
            _failed.TrySetResult("the gateway " + happened.Text);
    }

    private static async Task ObeyKeysAsync(ChannelReader<char> keys, DevModel model, CancellationToken stop)
    {
        await foreach (var key in keys.ReadAllAsync(stop))
        {
            if (key is 'q' or 'Q')
                return;
            if (key is 'k' or 'K')
                model.Busiest()?.Process.Kill();
            else if (key is >= '1' and <= '9' && key - '1' < model.Replicas.Count)
                model.Replicas[key - '1'].Process.Kill();
        }
    }
}
