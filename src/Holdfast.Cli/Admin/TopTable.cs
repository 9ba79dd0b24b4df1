using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Holdfast.Cli.Admin;

/// <summary><c>holdfast top</c> on a terminal: a live table of every backend's endpoints.</summary>
internal sealed class TopTable(IAnsiConsole console, Uri address, TimeProvider time)
{
    private const int BarWidth = 16;
    private const int SparkWidth = 40;

    // The header, the table's frame, the ends, and the line that the terminal's cursor needs.
    private const int FixedHeight = 4 + 4 + 3 + AdminPoller.Ends + 1;
    private static readonly TimeSpan RefreshInterval = TimeSpan.FromMilliseconds(250);

    public async Task RunAsync(AdminPoller poller, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var size = (console.Profile.Width, console.Profile.Height);
            await console.Live(Draw(poller.View)).Overflow(VerticalOverflow.Ellipsis).Cropping(VerticalOverflowCropping.Bottom).StartAsync(async live =>
            {
                // A terminal of another size has moved lines about, and a live display counts its own: it begins anew.
                while (!stop.IsCancellationRequested && size == (console.Profile.Width, console.Profile.Height))
                {
                    await Task.Delay(RefreshInterval, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                    live.UpdateTarget(Draw(poller.View));
                }
            });
            if (!stop.IsCancellationRequested)
                console.Clear(home: true);
        }
    }

    internal IRenderable Draw(AdminView view)
    {
        var connections = view.Backends.Sum(b => b.Endpoints?.Sum(e => e.Connections) ?? 0);
        var state = view.Fault is { } fault ? $"[red]{Safe(fault)}[/]" : Invariant($"connections {connections:#,0}   new per second {view.Connects.Now,-6:#,0.#} [teal]{Sparkline.Of(view.Connects.History, SparkWidth)}[/]{Rehomes(view.Rehomes)}");
        return new Rows(new Markup($"\n [bold teal]holdfast top[/]   [grey]{address}[/]\n {state}\n"), Endpoints(view), Ends(view));
    }

    /// <summary>The busiest first, so that a low terminal cuts off those that matter least.</summary>
    private Table Endpoints(AdminView view)
    {
        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey).Expand();
        foreach (var (heading, isNumber) in ((string, bool)[])[
            ("backend", false), ("endpoint", false), ("phase", false), ("health", false), ("connections", false), ("new/s", true), ("in/s", true), ("out/s", true)])
        {
            var column = new TableColumn($"[grey]{heading}[/]").NoWrap();
            table.AddColumn(isNumber ? column.RightAligned() : column);
        }

        var all = view.Backends.SelectMany(b => (b.Endpoints ?? []).Select(e => (Backend: b, Endpoint: e))).ToList();
        var most = Math.Max(1, all.Select(e => e.Endpoint.Connections).DefaultIfEmpty().Max());
        var room = Math.Max(3, console.Profile.Height - FixedHeight);
        var shown = all.Count <= room ? all : [.. all.OrderByDescending(e => e.Endpoint.Connections).Take(room - 1)];
        foreach (var (backend, endpoint) in shown)
        {
            var rates = view.Rates.GetValueOrDefault(new EndpointKey(backend.Name, endpoint.Address));
            table.AddRow(
                Safe(backend.Name), $"[grey]{Safe(endpoint.Address)}[/]", Colored(endpoint.Phase, "ready"), Colored(endpoint.Health, "healthy"),
                Bar(endpoint.Connections, most), Number(rates.Opened), Number(rates.ToEndpoint), Number(rates.ToClient));
        }

        if (shown.Count < all.Count)
            table.AddRow(Invariant($"[grey]and {all.Count - shown.Count} more[/]"));
        return table;
    }

    private static string Rehomes(RehomeRate rehomes) => rehomes.Total == 0 ? "" : Invariant($"   re-homed {rehomes.Total:#,0}, per second {Shown.Rate(rehomes.Now)}");

    private static Rows Ends(AdminView view)
    {
        var lines = view.Ends.Take(AdminPoller.Ends).Select(e => Invariant(
            $" [grey]{e.Time.ToLocalTime():HH:mm:ss}[/] {Safe(e.Endpoint)} {Safe(e.Reason)} [grey]{Safe(e.Side)}, {(e.CloseCode is > 0 and var code ? code : "no code")}, lasted {Shown.Duration(TimeSpan.FromMilliseconds(Math.Clamp(e.DurationMs, 0, 1e12)))}[/]"));
        return new Rows(new Markup(" [bold]last ends[/]"), new Markup(string.Join('\n', lines.DefaultIfEmpty(" [grey]none yet[/]"))));
    }

    private static string Bar(long value, long most)
    {
        var filled = value == 0 ? 0 : (int)Math.Max(1, value * BarWidth / most);
        return Invariant($"{value,6:#,0} [teal]{new string('█', filled)}[/][grey]{new string('·', BarWidth - filled)}[/]");
    }

    private static string Number(double value) => value < 0.05 ? "[grey]0[/]" : Shown.Rate(value);

    private static string Colored(string? value, string good) => value is null ? "[grey]-[/]" : $"[{(value == good ? "green" : "yellow")}]{Safe(value)}[/]";

    private static string Safe(string? text) => Markup.Escape(Shown.Text(text));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
