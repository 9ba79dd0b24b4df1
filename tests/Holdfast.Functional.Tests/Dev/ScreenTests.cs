using Holdfast.Cli.Admin;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Admin;
using Spectre.Console;

namespace Holdfast.Functional.Tests.Dev;

public sealed class ScreenTests
{
    private const string Ends = """
        {"ends":[{"id":"a1","time":"2026-11-20T10:00:00.5Z","endpoint":"127.0.0.1:5001","reason":"[bold]odd\u001b[2J","side":"downstream","closeCode":1000,"durationMs":61234}]}
        """;

    [Fact]
    public async Task The_table_shows_replicas_connections_and_ends()
    {
        var drawn = await DrawAsync(_ => { });

        Assert.Contains("http://127.0.0.1:9090/", drawn, StringComparison.Ordinal);
        var row = Line(drawn, "127.0.0.1:5001");
        Assert.Contains("replica-1", row, StringComparison.Ordinal);
        Assert.Contains("healthy", row, StringComparison.Ordinal);
        Assert.Contains("3 ████████████████", row, StringComparison.Ordinal);
        Assert.Contains("q quits", drawn, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(134, true, true)]
    [InlineData(108, false, true)]
    [InlineData(80, false, false)]
    public async Task An_old_replica_stands_beside_its_successor_with_its_life(int width, bool endpoint, bool health)
    {
        var time = new ManualTime();
        var list = new ReplicaList();
        using var stop = new CancellationTokenSource();
        var running = new List<Task>();
        for (var number = 9; number <= 10; number++)
        {
            var process = new SupervisedProcess(
                $"replica-{number}", _ => new ScriptedChild(), new AlwaysReady(), new EndTimes(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(30)), new RestartBackOff(new Random(1)), time, _ => { });
            list.Add(new Replica(number, number - 9, 30000 + number, process));
            running.Add(list.All[^1].RunAsync(stop.Token, CancellationToken.None));
        }

        await Processes.UntilAsync(() => list.All.All(r => r.Process.Snapshot.State == ProcessState.Ready), "both were ready");
        list.All[0].Terminate();
        await Processes.UntilAsync(() => list.All[0].Process.Snapshot.State == ProcessState.Terminating, "the end of the first had begun");
        time.Advance(TimeSpan.FromSeconds(13.4));

        var backends = AdminPollerTests.Backends(1234, 5678, "draining").Replace("5001", "30009", StringComparison.Ordinal);
        var drawn = await DrawAsync(_ => { }, width: width, backends: backends, list: list, time: time);

        var old = Line(drawn, "replica-9");
        Assert.Contains("terminating 13 s", old, StringComparison.Ordinal);
        Assert.Contains("draining", old, StringComparison.Ordinal);
        Assert.Contains(" 1 ", old, StringComparison.Ordinal);
        Assert.Contains(" ready ", Line(drawn, "replica-10"), StringComparison.Ordinal);
        Assert.Equal(endpoint, drawn.Contains("127.0.0.1:30010", StringComparison.Ordinal));
        Assert.Equal(health, drawn.Contains("health", StringComparison.Ordinal));
        Assert.DoesNotContain('…', drawn);
        Assert.All(drawn.Split('\n'), line => Assert.True(line.Length <= width, line));
        await stop.CancelAsync();
        await Task.WhenAll(running);
    }

    [Fact]
    public async Task The_footer_offers_to_take_back_what_is_drained()
    {
        var list = new ReplicaList();
        list.Add(new Replica(1, 0, 5001, Idle("replica-1")));
        Assert.Contains("d drains", await DrawAsync(_ => { }, list: list), StringComparison.Ordinal);
        list.Drained = list.All[0];
        Assert.Contains("d takes back", await DrawAsync(_ => { }, list: list), StringComparison.Ordinal);
        list.All[0].Terminate();
        Assert.Contains("d drains", await DrawAsync(_ => { }, list: list), StringComparison.Ordinal);
    }

    [Fact]
    public void Replicas_that_have_gone_keep_their_names()
    {
        var list = new ReplicaList();
        for (var number = 1; number <= 250; number++)
        {
            list.Add(new Replica(number, 0, 20000 + number, Idle($"replica-{number}")));
            if (number > 1)
                list.Remove(list.All[0]);
        }

        Assert.Equal(["replica-250", "replica-249", "replica-50", null], ((int[])[250, 249, 50, 49]).Select(n => list.NameOf($"127.0.0.1:{20000 + n}")));
    }

    [Theory]
    [InlineData("▁▁▁▁")]
    [InlineData("▁▁▁█", 7.0)]
    [InlineData("▁▂▅█", 0.0, 0.01, 4.0, 7.0)]
    [InlineData("█▁▁▂", 900.0, 100.0, 0.0, -1.0, 7.0)]
    public void A_spark_line_keeps_its_width_and_shows_everything_that_is_more_than_nothing(string expected, params double[] values) =>
        Assert.Equal(expected, Sparkline.Of(values, 4));

    [Theory]
    [InlineData(140, true, true)]
    [InlineData(110, false, true)]
    [InlineData(80, false, false)]
    public async Task A_narrow_terminal_gets_fewer_columns_and_no_broken_lines(int width, bool endpoint, bool health)
    {
        var drawn = await DrawAsync(_ => { }, width: width);

        var heading = Line(drawn, "in/s");
        Assert.Equal(endpoint, heading.Contains("endpoint", StringComparison.Ordinal));
        Assert.Equal(health, heading.Contains("health", StringComparison.Ordinal));
        Assert.DoesNotContain('…', drawn);
        Assert.Contains("    3 ████", Line(drawn, "█"), StringComparison.Ordinal);
        Assert.All(drawn.Split('\n'), line => Assert.True(line.Length <= width, line));
    }

    [Fact]
    public async Task Text_from_outside_is_neither_markup_nor_terminal_control()
    {
        var drawn = await DrawAsync(screen => screen.Tell(new ProcessEvent("replica-1", ProcessEventKind.Exited, "exited with code 1", ["[red]fatal[/] \u001b[2J\u0007end"])));

        Assert.Contains("[bold]odd [2J", Line(drawn, "1 min 1 s"), StringComparison.Ordinal);
        Assert.Contains("[red]fatal[/]  [2J end", drawn, StringComparison.Ordinal);
        Assert.Contains("replica-1 exited with code 1", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', drawn);
        Assert.DoesNotContain('\u0007', drawn);
    }

    [Theory]
    [InlineData("ready", "healthy", 2)]
    [InlineData("draining", "unhealthy", 0)]
    public async Task A_phase_and_health_are_green_only_when_they_are_good(string phase, string health, int green)
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.Yes, ColorSystem = ColorSystemSupport.Standard, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 140;
        console.Write(new TableScreen(console, TimeProvider.System).Draw(await ModelAsync(Ends, AdminPollerTests.Backends(1, 2, phase, health))));

        // The replica itself is starting, which is yellow.
        var row = output.ToString().Split('\n').Single(l => l.Contains("127.0.0.1:5001", StringComparison.Ordinal));
        Assert.Contains(phase, row, StringComparison.Ordinal);
        Assert.Equal(green, row.Split("\u001b[32m").Length - 1);
    }

    [Fact]
    public async Task The_keys_stay_above_the_last_words_of_what_ended()
    {
        var drawn = await DrawAsync(screen => screen.Tell(new ProcessEvent("gateway", ProcessEventKind.Exited, "exited with code 3", ["last words"])));
        Assert.True(drawn.IndexOf("q quits", StringComparison.Ordinal) < drawn.IndexOf("last words", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(24, false)]
    [InlineData(40, true)]
    public async Task In_a_low_terminal_last_words_take_the_place_of_ends_and_all_fits(int height, bool ends)
    {
        var words = Enumerable.Range(1, 12).Select(i => $"word {i} " + new string('x', 200)).Append("").ToList();
        var drawn = await DrawAsync(screen => screen.Tell(new ProcessEvent("replica-1", ProcessEventKind.Exited, "exited with code 1", words)), width: 80, height: height);

        Assert.Equal(ends, drawn.Contains("last ends", StringComparison.Ordinal));
        Assert.Contains("replica-1 exited with code 1", drawn, StringComparison.Ordinal);
        Assert.Contains("word 12 xxx", drawn, StringComparison.Ordinal);
        Assert.True(drawn.TrimEnd('\n').Split('\n').Length <= height, drawn);
    }

    [Fact]
    public async Task The_table_keeps_its_height_when_ends_come_in()
    {
        var before = (await DrawAsync(_ => { }, "{}")).Split('\n').Length;
        var after = (await DrawAsync(_ => { })).Split('\n').Length;
        Assert.Equal(before, after);
    }

    [Fact]
    public async Task Plain_lines_tell_changes_output_and_a_summary()
    {
        var time = new ManualTime();
        using var output = new LineWriter();
        var screen = new PlainScreen(output, time);
        var model = await ModelAsync(Ends);
        using var stop = new CancellationTokenSource();
        var running = screen.RunAsync(model, stop.Token);
        screen.Tell(new ProcessEvent("replica-1", ProcessEventKind.Ready, "ready after 0.3 s", []));
        screen.Output("replica-1", "listening on 5001");
        await Processes.UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return output.Lines.All.Any(l => l.StartsWith("3 connections", StringComparison.Ordinal));
            },
            "the summary was printed");
        await stop.CancelAsync();
        await running;

        Assert.Equal(
            [
                "1 replica of 'node server.js' behind http://127.0.0.1:8080/, admin API at http://127.0.0.1:9090/",
                "keys: r rolls all, + and - scale, d drains the busiest or takes it back, k kills the busiest, 1-9 kill that one, q quits",
                "replica-1: ready after 0.3 s",
                "[replica-1] listening on 5001",
                "3 connections (replica-1 3), 0 new/s, 0 messages/s to replicas, 0 to clients, 0 restarts",
            ],
            output.Lines.All);
    }

    [Fact]
    public async Task Rehomes_are_told_once_there_were_any()
    {
        Assert.DoesNotContain("re-homed", await DrawAsync(_ => { }), StringComparison.Ordinal);
        const string Backends = """{"backends":[{"name":"app","rehomedTotal":1234,"endpoints":[{"address":"127.0.0.1:5001","connections":3}]}]}""";
        Assert.EndsWith("   re-homed 1,234", Line(await DrawAsync(_ => { }, backends: Backends), "new per second").TrimEnd(), StringComparison.Ordinal);
        Assert.EndsWith(", 0 to clients, 1234 re-homed, 0 restarts", PlainScreen.Summary(await ModelAsync(Ends, Backends)), StringComparison.Ordinal);
    }

    private sealed class LineWriter : TextWriter
    {
        public Lines Lines { get; } = new();

        public override System.Text.Encoding Encoding => System.Text.Encoding.UTF8;

        public override void WriteLine(string? value) => Lines.Add(value!);
    }

    private static string Line(string drawn, string part) => drawn.Split('\n').Single(l => l.Contains(part, StringComparison.Ordinal));

    private static async Task<string> DrawAsync(Action<TableScreen> happens, string ends = Ends, int width = 140, int height = 60, string? backends = null, ReplicaList? list = null, TimeProvider? time = null)
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = width;
        console.Profile.Height = height;
        var screen = new TableScreen(console, time ?? TimeProvider.System);
        happens(screen);
        console.Write(screen.Draw(await ModelAsync(ends, backends, list)));
        return output.ToString();
    }

    private static async Task<DevModel> ModelAsync(string ends, string? backends = null, ReplicaList? list = null)
    {
        var admin = AdminPollerTests.Poller(() => backends ?? AdminPollerTests.Backends(1, 2), () => ends);
        await admin.RefreshAsync(CancellationToken.None);
        if (list is null)
            (list = new ReplicaList()).Add(new Replica(1, 0, 5001, Idle("replica-1")));
        return new DevModel(new DevOptions("node server.js", 1, 8080, 9090, null), "app", list, Idle("gateway"), admin, HasKeys: true);
    }

    private static SupervisedProcess Idle(string name) => new(
        name, _ => throw new InvalidOperationException("never started"), new PortReadiness(1), EndTimes.Quick, new RestartBackOff(new Random(1)), TimeProvider.System, _ => { });
}
