using System.Collections.Concurrent;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

public sealed class SupervisedProcessTests
{
    [Fact]
    public async Task A_killed_replica_comes_back_on_its_port_and_stops_without_leaving_anything()
    {
        var port = Processes.FreePort();
        using var http = new HttpClient();
        var events = new ConcurrentQueue<ProcessEvent>();
        var address = new Uri($"http://127.0.0.1:{port}");
        var replica = new SupervisedProcess(
            "replica-1", tail => ChildProcess.Start(Processes.Showcase.For("replica-1", port), tail, TimeProvider.System),
            new HttpReadiness(http, new Uri(address, "healthz")), EndTimes.Quick, new RestartBackOff(new Random(1)), TimeProvider.System, events.Enqueue);
        using var stop = new CancellationTokenSource();
        var running = replica.RunAsync(CancellationToken.None, stop.Token, CancellationToken.None);

        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready, "the replica was ready");
        var first = replica.Snapshot.ProcessId;
        var status = await http.GetFromJsonAsync<JsonObject>(new Uri(address, "api/replica"));
        Assert.Equal("replica-1", (string?)status!["replica"]);
        Assert.Equal(first, (int)status["processId"]!);

        Assert.True(replica.Kill());
        await Processes.UntilAsync(() => replica.Snapshot is { State: ProcessState.Ready, Restarts: 1 }, "it was ready again");
        var second = replica.Snapshot.ProcessId;
        Assert.NotEqual(first, second);
        Assert.Equal(second, (int)(await http.GetFromJsonAsync<JsonObject>(new Uri(address, "api/replica")))!["processId"]!);

        await stop.CancelAsync();
        await running;
        Assert.False(Processes.IsAlive(first) || Processes.IsAlive(second));
        Assert.True(FreePorts.IsFree(System.Net.IPAddress.Loopback, port));
        Assert.Equal(ProcessState.Stopped, replica.Snapshot.State);
        Assert.Equal(
            [ProcessEventKind.Started, ProcessEventKind.Ready, ProcessEventKind.Killed, ProcessEventKind.Started, ProcessEventKind.Ready, ProcessEventKind.Stopped],
            events.Select(e => e.Kind));
    }

    [Fact]
    public async Task An_application_that_dies_at_once_is_started_again_and_its_last_words_are_told()
    {
        var events = new ConcurrentQueue<ProcessEvent>();
        var replica = new SupervisedProcess(
            "replica-1", tail => ChildProcess.Start(ReplicaCommand.ForApp("echo cannot open the database; exit 3").For("replica-1", 1), tail, TimeProvider.System),
            new NeverReady(), EndTimes.Quick, new RestartBackOff(new Random(1)), TimeProvider.System, events.Enqueue);
        using var stop = new CancellationTokenSource();
        var running = replica.RunAsync(CancellationToken.None, stop.Token, CancellationToken.None);

        await Processes.UntilAsync(() => events.Count(e => e.Kind == ProcessEventKind.Exited) >= 2, "it had ended twice");
        await stop.CancelAsync();
        await running;

        var end = events.First(e => e.Kind == ProcessEventKind.Exited);
        Assert.Equal("exited with code 3", end.Text);
        Assert.Equal(["cannot open the database"], end.LastOutput);
    }

    [Fact]
    public async Task A_replica_that_ignores_SIGTERM_is_killed_when_there_is_no_time_left()
    {
        var lines = new Lines();
        var port = Processes.FreePort();
        var replica = new SupervisedProcess(
            "replica-1", _ => ChildProcess.Start(ReplicaCommand.ForApp("trap '' TERM; echo self=$$; while :; do sleep 1000; done").For("replica-1", port), lines.Add, TimeProvider.System),
            new NeverReady(), EndTimes.Quick, new RestartBackOff(new Random(1)), TimeProvider.System, _ => { });
        using var stop = new CancellationTokenSource();
        using var hurry = new CancellationTokenSource();
        var running = replica.RunAsync(CancellationToken.None, stop.Token, hurry.Token);
        var self = await lines.NumberAsync("self");

        await stop.CancelAsync();
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Stopping, "it was stopping");
        Assert.True(Processes.IsAlive(self));
        await hurry.CancelAsync();
        await running;

        Assert.False(Processes.IsAlive(self));
    }

    [Fact]
    public async Task Pauses_double_to_eight_seconds_and_begin_again_after_ten_seconds_of_readiness()
    {
        var time = new ManualTime();
        var children = new ConcurrentQueue<ScriptedChild>();
        var replica = new SupervisedProcess("replica-1", Start, new AlwaysReady(), EndTimes.Quick, new RestartBackOff(new Longest()), time, _ => { });
        using var stop = new CancellationTokenSource();
        var running = replica.RunAsync(CancellationToken.None, stop.Token, CancellationToken.None);

        var pauses = new List<double>();
        for (var life = 1; life <= 9; life++)
        {
            await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready && children.Count == life, "it was ready");
            if (life == 8)
                time.Advance(TimeSpan.FromSeconds(10));
            children.Last().End(1);
            await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.BackingOff, "it was backing off");
            pauses.Add((replica.Snapshot.At - time.GetUtcNow()).TotalMilliseconds);
            await Processes.UntilAsync(
                () =>
                {
                    time.Advance(TimeSpan.FromMilliseconds(100));
                    return replica.Snapshot.State != ProcessState.BackingOff;
                },
                "it was started again");
        }

        await stop.CancelAsync();
        await running;
        Assert.Equal([250, 500, 1000, 2000, 4000, 8000, 8000, 250, 500], pauses.Select(p => Math.Round(p)));

        IChildProcess Start(Action<string> tail)
        {
            var child = new ScriptedChild();
            children.Enqueue(child);
            return child;
        }
    }

    [Fact]
    public async Task A_pod_ends_by_a_pause_SIGTERM_and_SIGKILL_when_its_grace_is_over()
    {
        var (time, child, events) = (new ManualTime(), new ScriptedChild { IgnoresTerm = true }, new ConcurrentQueue<ProcessEvent>());
        var replica = Pod(child, time, events);
        using var terminate = new CancellationTokenSource();
        var running = replica.RunAsync(terminate.Token, CancellationToken.None, CancellationToken.None);
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready, "it was ready");

        await terminate.CancelAsync();
        await Processes.UntilAsync(() => events.Last().Text == "terminating, SIGTERM in 6 s", "its end had begun");
        time.Advance(TimeSpan.FromSeconds(5.9));
        Assert.Equal((ProcessState.Terminating, 0, 0), (replica.Snapshot.State, child.Terms, child.Kills));

        time.Advance(TimeSpan.FromSeconds(0.1));
        await Processes.UntilAsync(() => events.Last().Text == "SIGTERM, SIGKILL in 4 s", "SIGTERM was sent");
        time.Advance(TimeSpan.FromSeconds(3.9));
        Assert.Equal((ProcessState.Stopping, 1, 0), (replica.Snapshot.State, child.Terms, child.Kills));

        time.Advance(TimeSpan.FromSeconds(0.1));
        await running;
        Assert.Equal((ProcessState.Stopped, 1, 1), (replica.Snapshot.State, child.Terms, child.Kills));
        Assert.Equal(["killed with SIGKILL, for its grace was over, 10.0 s after its end began", "gone"], events.Select(e => e.Text).TakeLast(2));
    }

    [Fact]
    public async Task A_pod_that_dies_before_its_SIGTERM_is_not_started_again()
    {
        var (time, child, events) = (new ManualTime(), new ScriptedChild(), new ConcurrentQueue<ProcessEvent>());
        var replica = Pod(child, time, events);
        using var terminate = new CancellationTokenSource();
        var running = replica.RunAsync(terminate.Token, CancellationToken.None, CancellationToken.None);
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready, "it was ready");
        await terminate.CancelAsync();
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Terminating, "its end had begun");

        child.End(3);

        await running;
        Assert.Equal(0, child.Terms);
        Assert.Equal(["exited with code 3", "gone"], events.Select(e => e.Text).TakeLast(2));
    }

    [Fact]
    public async Task Stopping_skips_the_pause_before_SIGTERM()
    {
        var (time, child, events) = (new ManualTime(), new ScriptedChild(), new ConcurrentQueue<ProcessEvent>());
        var replica = Pod(child, time, events);
        using var terminate = new CancellationTokenSource();
        using var stop = new CancellationTokenSource();
        var running = replica.RunAsync(terminate.Token, stop.Token, CancellationToken.None);
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready, "it was ready");
        await terminate.CancelAsync();
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Terminating, "its end had begun");

        await stop.CancelAsync();

        await running;
        Assert.Equal((1, 0), (child.Terms, child.Kills));
        Assert.Equal("stopped", events.Last().Text);
    }

    [Fact]
    public async Task Three_failed_probes_in_a_row_make_it_unready_and_one_good_one_ready_again()
    {
        var (time, events, readiness) = (new ManualTime(), new ConcurrentQueue<ProcessEvent>(), new ScriptedReadiness());
        var replica = new SupervisedProcess(
            "replica-1", _ => new ScriptedChild(), readiness, EndTimes.Quick, new RestartBackOff(new Random(1)), time, events.Enqueue);
        using var stop = new CancellationTokenSource();
        var running = replica.RunAsync(CancellationToken.None, stop.Token, CancellationToken.None);
        await AskAsync(true);
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready, "it was ready");

        await AskAsync(false, false, true, false, false);
        Assert.Equal(ProcessState.Ready, replica.Snapshot.State);
        await AskAsync(false);
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Unready, "it was not ready");
        await AskAsync(false, false, false);
        await AskAsync(true);
        await Processes.UntilAsync(() => replica.Snapshot.State == ProcessState.Ready, "it was ready again");

        await stop.CancelAsync();
        await running;
        Assert.Equal(
            [ProcessEventKind.Started, ProcessEventKind.Ready, ProcessEventKind.Unready, ProcessEventKind.Ready, ProcessEventKind.Stopped], events.Select(e => e.Kind));

        async Task AskAsync(params bool[] answers)
        {
            foreach (var answer in answers)
            {
                var asked = readiness.Answer(answer);
                await Processes.UntilAsync(
                    () =>
                    {
                        time.Advance(TimeSpan.FromMilliseconds(100));
                        return asked.IsCompleted;
                    },
                    "it was asked");
            }
        }
    }

    [Fact]
    public void Half_of_each_pause_is_random()
    {
        var backOff = new RestartBackOff(new Random(3));
        var pauses = Enumerable.Range(0, 200).Select(_ => backOff.Next(RestartBackOff.ResetAfter)).ToList();
        Assert.All(pauses, p => Assert.InRange(p, RestartBackOff.First / 2, RestartBackOff.First));
        Assert.True(pauses.Max() - pauses.Min() > RestartBackOff.First / 3);
    }

    private static SupervisedProcess Pod(ScriptedChild child, TimeProvider time, ConcurrentQueue<ProcessEvent> events) => new(
        "replica-1", _ => child, new AlwaysReady(), new EndTimes(TimeSpan.FromSeconds(6), TimeSpan.FromSeconds(10)), new RestartBackOff(new Random(1)), time, events.Enqueue);

    private sealed class Longest : Random
    {
        public override double NextDouble() => 1;
    }

    private sealed class AlwaysReady : IReadinessCheck
    {
        public string Describe => "nothing";

        public bool IsAskedAgain => false;

        public Task<bool> IsReadyAsync(CancellationToken cancel) => Task.FromResult(true);
    }

    private sealed class NeverReady : IReadinessCheck
    {
        public string Describe => "a miracle";

        public bool IsAskedAgain => false;

        public Task<bool> IsReadyAsync(CancellationToken cancel) => Task.FromResult(false);
    }

    /// <summary>Not ready until told what to answer, and asked on.</summary>
    private sealed class ScriptedReadiness : IReadinessCheck
    {
        private readonly ConcurrentQueue<(bool Answer, TaskCompletionSource Asked)> _answers = new();

        public string Describe => "well";

        public bool IsAskedAgain => true;

        public Task Answer(bool answer)
        {
            var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _answers.Enqueue((answer, asked));
            return asked.Task;
        }

        public async Task<bool> IsReadyAsync(CancellationToken cancel)
        {
            (bool Answer, TaskCompletionSource Asked) next;
            while (!_answers.TryDequeue(out next))
                await Task.Delay(TimeSpan.FromMilliseconds(5), cancel);
            next.Asked.SetResult();
            return next.Answer;
        }
    }

    private sealed class ScriptedChild : IChildProcess
    {
        private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);

        private int _terms;
        private int _kills;

        public bool IgnoresTerm { get; init; }

        public int Terms => Volatile.Read(ref _terms);

        public int Kills => Volatile.Read(ref _kills);

        public int Id => 1;

        public Task<int> Exited => _exited.Task;

        public void End(int exitCode) => _exited.TrySetResult(exitCode);

        public void Terminate()
        {
            Interlocked.Increment(ref _terms);
            if (!IgnoresTerm)
                End(143);
        }

        public void Kill()
        {
            Interlocked.Increment(ref _kills);
            End(137);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
