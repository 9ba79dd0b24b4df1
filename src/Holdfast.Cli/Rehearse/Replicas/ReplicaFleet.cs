using System.Globalization;
using Holdfast.Cli.Dev;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>The replicas of one run: started, rolled and killed as <c>holdfast dev</c> does, with a record of what was done to which process.</summary>
internal sealed class ReplicaFleet : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly ReplicaList _list = new();
    private readonly Wake _wake = new();
    private readonly ReplicaController _controller;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<ReplicaEnd> _ends = [];
    private readonly Queue<int> _usedPorts = new();
    private readonly bool _late;
    private readonly EndTimes _times;
    private readonly RunClock _clock;
    private readonly TimeProvider _time;
    private readonly int _replicas;
    private Task _running = Task.CompletedTask;
    private int _generation;
    private volatile string? _failure;

    /// <param name="replicas">How many.</param>
    /// <param name="late">SIGTERM is the first news.</param>
    /// <param name="times">How a replica ends.</param>
    /// <param name="command">What starts one, from its name and port.</param>
    /// <param name="news">What the system before them is told by.</param>
    /// <param name="random">For ports and back-offs.</param>
    /// <param name="clock">For the records.</param>
    /// <param name="time">The clock of processes.</param>
    public ReplicaFleet(
        int replicas, bool late, EndTimes times, Func<string, int, ChildSpec> command, IEndpointNews news, Random random, RunClock clock, TimeProvider time)
    {
        (_replicas, _late, _times, _clock, _time) = (replicas, late, times, clock, time);
        _controller = new ReplicaController(
            (number, generation) => Make(number, generation, command, random), _list, replicas, late, news, _wake, _ => { }, time);
    }

    /// <summary>A replica ended that nobody had told to; null: none has.</summary>
    public string? Failure => _failure;

    public IReadOnlyList<ReplicaEnd> Ends
    {
        get
        {
            lock (_lock)
                return [.. _ends];
        }
    }

    /// <summary>Returns when all are available.</summary>
    /// <exception cref="RehearseException">They are not in a minute.</exception>
    public Task StartAsync(CancellationToken cancel)
    {
        _running = _controller.RunAsync(_stop.Token, CancellationToken.None);
        return UntilSettledAsync(StartLimit, "the replicas are not ready in a minute", cancel);
    }

    /// <summary>Replaces every replica; returns when all are available and those before have gone.</summary>
    /// <exception cref="RehearseException">It takes too long.</exception>
    public async Task<RollRecord> RollAsync(CancellationToken cancel)
    {
        var before = ProcessIds();
        _generation++;
        _controller.Roll();
        var limit = StartLimit + _replicas * (_times.Grace + Replica.MinReady * 5);
        await UntilSettledAsync(limit, string.Create(CultureInfo.InvariantCulture, $"a roll was not over in {limit.TotalSeconds:0} s"), cancel);
        return new RollRecord(before, ProcessIds());
    }

    /// <summary>SIGKILL to the replica that the most is said to.</summary>
    /// <param name="folder">Of the journals.</param>
    /// <param name="before">Called right before.</param>
    public async Task KillBusiestAsync(string folder, Action before, CancellationToken cancel)
    {
        var first = Sizes(folder);
        await Task.Delay(TimeSpan.FromSeconds(1), _time, cancel);
        var second = Sizes(folder);
        var busiest = _list.All.Where(r => r.IsReady).MaxBy(r => second.GetValueOrDefault(r.Process.Snapshot.ProcessId) - first.GetValueOrDefault(r.Process.Snapshot.ProcessId))
            ?? throw new RehearseException("there is no replica to kill");
        var process = busiest.Process.Snapshot.ProcessId;
        before();
        lock (_lock)
            _ends.Add(new ReplicaEnd(process, EndKind.Killed, _clock.Now));
        if (!busiest.Process.Kill())
            throw new RehearseException("the replica to kill had ended");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    public async Task UntilSettledAsync(TimeSpan limit, string otherwise, CancellationToken cancel)
    {
        var began = _time.GetTimestamp();
        while (!IsSettled())
        {
            if (_failure is { } failure)
                throw new RehearseException(failure);
            if (_running.IsCompleted)
                await _running;
            if (_time.GetElapsedTime(began) > limit)
                throw new RehearseException(otherwise);
            await Task.Delay(Poll, _time, cancel);
        }
    }

    private static Dictionary<int, long> Sizes(string folder) => new DirectoryInfo(folder).GetFiles("*" + JournalReader.Extension)
        .ToDictionary(f => int.Parse(f.Name.Split('.')[1], CultureInfo.InvariantCulture), f => f.Length);

    private bool IsSettled()
    {
        var now = _time.GetUtcNow();
        var all = _list.All.Select(r => r.StandingAt(now)).ToList();
        return all.Count == _replicas && all.All(r => r.Generation == _generation && r.Standing == Standing.Available);
    }

    private HashSet<int> ProcessIds() => [.. _list.All.Where(r => r.IsReady).Select(r => r.Process.Snapshot.ProcessId)];

    private Replica Make(int number, int generation, Func<string, int, ChildSpec> command, Random random)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"replica-{number}");
        var port = FreePorts.Pick(1, random, _usedPorts)[0];
        _usedPorts.Enqueue(port);
        var spec = command(name, port);
        SupervisedProcess? process = null;
        process = new SupervisedProcess(
            name, tail => ChildProcess.Start(spec, tail, _time), new PortReadiness(port), _times, new RestartBackOff(new Random(random.Next())), _time,
            happened => On(happened, process!.Snapshot));
        return new Replica(number, generation, port, process);
    }

    private void On(ProcessEvent happened, ProcessSnapshot snapshot)
    {
        if (happened.Kind == ProcessEventKind.Exited)
            _failure ??= string.Join('\n', (string[])[$"{happened.Process} {happened.Text}", .. happened.LastOutput]);

        // The state says which of the two steps it was: this one is SIGTERM.
        if (happened.Kind == ProcessEventKind.Terminating && snapshot.State == ProcessState.Stopping)
        {
            lock (_lock)
                _ends.Add(new ReplicaEnd(snapshot.ProcessId, _late ? EndKind.Late : EndKind.Planned, _clock.Now));
        }

        _wake.Set();
    }
}
