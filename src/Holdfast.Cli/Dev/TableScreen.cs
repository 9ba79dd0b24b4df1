using System.Globalization;
using Holdfast.Cli.Admin;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Holdfast.Cli.Dev;

/// <summary>A live table on a terminal.</summary>
internal sealed class TableScreen(IAnsiConsole console, TimeProvider time) : IDevScreen
{
    private const int BarWidth = 16;
    private const int LifeWidth = 17;
    private const int SparkWidth = 40;

    // Columns of text below which something has to go.
    private const int NarrowBelow = 134;
    private const int VeryNarrowBelow = 108;

    // Rows: the header, the table's frame and the footer; the ends; a crash's frame.
    private const int FixedHeight = 4 + 4 + 5;
    private const int EndsHeight = 2 + AdminPoller.Ends;
    private const int CrashFrame = 2;
    private static readonly TimeSpan RefreshInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan CrashShownFor = TimeSpan.FromSeconds(20);

    private volatile Happening? _lastEvent;
    private volatile Happening? _lastCrash;

    private sealed record Happening(ProcessEvent Event, long At);

    public void Tell(ProcessEvent happened)
    {
        _lastEvent = new Happening(happened, time.GetTimestamp());
        if (happened.Kind == ProcessEventKind.Exited)
            _lastCrash = _lastEvent;
    }

    /// <summary>Not shown as it comes; the last lines are when the replica ends unexpectedly.</summary>
    public void Output(string replica, string line)
    {
    }

    public void Say(string sentence) => console.WriteLine(sentence);

    public async Task RunAsync(DevModel model, CancellationToken stop)
    {
        await RunAtThisSizeAsync(model, stop);
        while (!stop.IsCancellationRequested)
        {
            // The terminal has moved lines about, and a live display counts its own: begin anew on an empty screen.
            console.Clear(home: true);
            await RunAtThisSizeAsync(model, stop);
        }
    }

    private Task RunAtThisSizeAsync(DevModel model, CancellationToken stop)
    {
        var size = Size();
        return console
            .Live(Draw(model))
            .Overflow(VerticalOverflow.Ellipsis)
            .Cropping(VerticalOverflowCropping.Bottom)
            .StartAsync(async live =>
            {
                while (!stop.IsCancellationRequested && size == Size())
                {
                    await Task.Delay(RefreshInterval, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    live.UpdateTarget(Draw(model));
                }
            });
    }

    private (int Width, int Height) Size() => (console.Profile.Width, console.Profile.Height);

    internal IRenderable Draw(DevModel model)
    {
        var crash = _lastCrash is { } last && time.GetElapsedTime(last.At) < CrashShownFor ? last.Event : null;
        var room = console.Profile.Height - model.Replicas.Count - FixedHeight;

        // A terminal that is not high enough cuts at the bottom. Where there is no room for all, the keys come first, then what a replica said
        // before it ended, then how connections ended.
        var parts = new List<IRenderable> { Header(model, Life(model.Gateway.Snapshot)), Replicas(model) };
        if (room >= EndsHeight + (crash is null ? 0 : CrashFrame + crash.LastOutput.Count))
        {
            parts.Add(Ends(model));
            room -= EndsHeight;
        }

        parts.Add(Footer(model));
        if (crash is not null)
            parts.Add(Crash(crash, Math.Max(3, room - CrashFrame)));
        return new Rows(parts);
    }

    private static Markup Header(DevModel model, (string Color, string Text) gateway)
    {
        var view = model.Admin.View;
        var open = model.Gateway.Snapshot.State == ProcessState.Ready
            ? $"open [bold underline]{model.Options.Address}[/]"
            : $"[yellow]gateway {gateway.Text}[/]";
        var connections = view.EndpointsOf(model.Backend).Values.Sum(e => e.Connections);
        var rehomes = view.Rehomes.Total == 0 ? "" : Invariant($"   [grey]re-homed[/] {view.Rehomes.Total:#,0}");
        return new Markup(
            $"\n [bold teal]holdfast dev[/]   {open}   [grey]admin {model.Options.AdminAddress}[/]\n"
            + Invariant($" [grey]connections[/] {connections:#,0}   [grey]new per second[/] {view.Connects.Now,-6:#,0.#} [teal]{Sparkline.Of(view.Connects.History, SparkWidth)}[/]{rehomes}\n"));
    }

    private Table Replicas(DevModel model)
    {
        var view = model.Admin.View;
        var endpoints = view.EndpointsOf(model.Backend);
        var most = Math.Max(1, endpoints.Values.Select(e => e.Connections).DefaultIfEmpty().Max());
        var width = console.Profile.Width;
        var replicas = model.Replicas;
        var columns = new List<(string Heading, Func<Replica, int, string> Cell, bool IsNumber)>
        {
            ("key", (_, row) => row < 9 ? Invariant($"[grey]{row + 1}[/]") : "", true),
            ("replica", (r, _) => r.Name, false),
            ("endpoint", (r, _) => $"[grey]{r.Address}[/]", false),
            ("life", (r, _) => LifeOf(r.Process.Snapshot), false),
            ("phase", (r, _) => Colored(endpoints.GetValueOrDefault(r.Address)?.Phase, "ready"), false),
            ("health", (r, _) => Colored(endpoints.GetValueOrDefault(r.Address)?.Health, "healthy"), false),
            ("connections", (r, _) => Bar(endpoints.GetValueOrDefault(r.Address)?.Connections ?? 0, most, width < VeryNarrowBelow ? BarWidth / 4 : width < NarrowBelow ? BarWidth / 2 : BarWidth), false),
            ("in/s", (r, _) => Number(RatesOf(r).ToEndpoint), true),
            ("out/s", (r, _) => Number(RatesOf(r).ToClient), true),
            ("restarts", (r, _) => r.Process.Snapshot.Restarts is > 0 and var restarts ? Invariant($"[yellow]{restarts}[/]") : "[grey]0[/]", true),
        };
        if (!model.HasKeys)
            columns.RemoveAll(c => c.Heading == "key");
        if (width < NarrowBelow)
            columns.RemoveAll(c => c.Heading == "endpoint");
        if (width < VeryNarrowBelow)
            columns.RemoveAll(c => c.Heading is "health" or "restarts");

        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey).Expand();
        foreach (var (heading, _, isNumber) in columns)
        {
            var column = new TableColumn($"[grey]{heading}[/]").NoWrap();
            table.AddColumn(isNumber ? column.RightAligned() : column);
        }

        for (var row = 0; row < replicas.Count; row++)
            table.AddRow([.. columns.Select(c => c.Cell(replicas[row], row))]);
        return table;

        // As wide as its longest, so that columns do not move.
        string LifeOf(ProcessSnapshot process)
        {
            var (color, text) = Life(process);
            return $"[{color}]{(width < VeryNarrowBelow ? text : text.PadRight(LifeWidth))}[/]";
        }

        EndpointRates RatesOf(Replica replica) => view.Rates.GetValueOrDefault(new EndpointKey(model.Backend, replica.Address));
    }

    private static Rows Ends(DevModel model)
    {
        var ends = model.Admin.View.Ends;
        var table = new Table().Border(TableBorder.None);
        foreach (var heading in (ReadOnlySpan<string>)["time", "replica", "reason", "side", "code", "lasted"])
            table.AddColumn(new TableColumn($"[grey]{heading}[/]").NoWrap().PadLeft(1));
        foreach (var end in ends.Take(AdminPoller.Ends))
        {
            table.AddRow(
                Invariant($"[grey]{end.Time.ToLocalTime():HH:mm:ss}[/]"),
                Safe(model.NameOf(end.Endpoint)),
                Safe(end.Reason),
                Safe(end.Side),
                end.CloseCode is > 0 and var code ? Invariant($"{code}") : "[grey]-[/]",
                Shown.Duration(TimeSpan.FromMilliseconds(Math.Clamp(end.DurationMs, 0, 1e12))));
        }

        // Always as high, so that what is below does not jump.
        for (var row = ends.Count; row < AdminPoller.Ends; row++)
            table.AddRow("", "", "", "", "", "");
        var title = ends.Count == 0 ? " [bold]last ends[/]  [grey]none yet[/]" : " [bold]last ends[/]";
        return new Rows(new Markup(title), new Padder(table, new Padding(1, 0, 0, 0)));
    }

    private Panel Crash(ProcessEvent crash, int most)
    {
        var width = console.Profile.Width - 4;
        var lines = crash.LastOutput.Where(l => !string.IsNullOrWhiteSpace(l)).TakeLast(most).Select(l => l.Length <= width ? l : l[..(width - 1)] + '…').ToList();
        if (lines.Count == 0)
            lines.Add("(it printed nothing)");
        return new Panel(new Markup(string.Join('\n', lines.Select(Safe))))
            .Header($" [red]{Safe(crash.Process)} {Safe(crash.Text)}[/] ")
            .BorderColor(Color.Red)
            .Expand();
    }

    private Markup Footer(DevModel model)
    {
        var keys = !model.HasKeys ? "[bold]Ctrl-C[/] quits"
            : $"[bold]r[/] rolls   [bold]+ -[/] scale   [bold]d[/] {(model.List.Drained is null ? "drains" : "takes back")}   [bold]k[/] kills the busiest   [bold]1-9[/] kill one   [bold]q[/] quits";
        var news = _lastEvent is { } last ? $"[grey]{Safe(last.Event.Process)}: {Safe(last.Event.Text)}[/]" : "";
        return new Markup($"\n {keys}\n {news}\n");
    }

    private (string Color, string Text) Life(ProcessSnapshot process) => process.State switch
    {
        ProcessState.Ready => ("green", "ready"),
        ProcessState.Starting => ("yellow", "starting"),
        ProcessState.Unready => ("yellow", "not ready"),
        ProcessState.BackingOff => ("red", Invariant($"backing off {Math.Max(0, (process.At - time.GetUtcNow()).TotalSeconds):0.0} s")),
        ProcessState.Terminating or ProcessState.Stopping => ("yellow", Invariant($"terminating {Math.Max(0, (time.GetUtcNow() - process.At).TotalSeconds):0} s")),
        _ => ("grey", "stopped"),
    };

    private static string Bar(long value, long most, int width)
    {
        var filled = value == 0 ? 0 : (int)Math.Max(1, value * width / most);
        return Invariant($"{value,5} [teal]{new string('█', filled)}[/][grey]{new string('·', width - filled)}[/]");
    }

    private static string Colored(string? value, string good) =>
        value is null ? "[grey]-[/]" : $"[{(value == good ? "green" : "yellow")}]{Safe(value)}[/]";

    private static string Number(double value) => value < 0.05 ? "[grey]0[/]" : Shown.Rate(value);

    private static string Safe(string? text) => Markup.Escape(Shown.Text(text));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
