using System.Globalization;
using System.Text;
using System.Text.Json;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;
using Holdfast.Bench.Runs;

namespace Holdfast.Bench.Output;

/// <summary>Every run as CSV and as JSON, and a page with the table, the machine and the configurations; the page is printed, too.</summary>
internal sealed class ResultWriter(string bench, BenchSettings settings, params string[] columns)
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    private readonly List<object[]> _rows = [];
    private readonly StringBuilder _page = new();

    /// <summary>Of the templates that the page shows.</summary>
    public string TemplateKind { get; init; } = "";

    public void Row(params object[] cells)
    {
        if (cells.Length != columns.Length)
            throw new ArgumentException("A row has a cell for each column.", nameof(cells));
        _rows.Add(cells);
    }

    public void Text(string line) => _page.AppendLine(line).AppendLine();

    public void Table(IReadOnlyList<string> header, IEnumerable<IReadOnlyList<string>> rows)
    {
        _page.Append("| ").AppendJoin(" | ", header).AppendLine(" |");
        _page.Append('|').Insert(_page.Length, "---|", header.Count).AppendLine();
        foreach (var row in rows)
            _page.Append("| ").AppendJoin(" | ", row).AppendLine(" |");
        _page.AppendLine();
    }

    /// <summary>Writes the files and prints the page.</summary>
    public async Task SaveAsync()
    {
        Directory.CreateDirectory(settings.Results);
        var page = Page();
        var csv = new StringBuilder().AppendJoin(',', columns).AppendLine();
        foreach (var row in _rows)
            csv.AppendJoin(',', row.Select(c => Convert.ToString(c, CultureInfo.InvariantCulture))).AppendLine();
        var runs = _rows.Select(row => columns.Zip(row).ToDictionary(cell => cell.First, cell => cell.Second, StringComparer.Ordinal));
        await File.WriteAllTextAsync(Path.Combine(settings.Results, bench + ".csv"), csv.ToString());
        await File.WriteAllTextAsync(Path.Combine(settings.Results, bench + ".md"), page);
        await File.WriteAllTextAsync(Path.Combine(settings.Results, bench + ".json"),
            JsonSerializer.Serialize(new { bench, machine = Machine.Facts(), runs }, Indented) + "\n");
        await Console.Out.WriteLineAsync(page);
    }

    private string Page()
    {
        var page = new StringBuilder();
        page.AppendLine(CultureInfo.InvariantCulture, $"# {bench}, {TimeProvider.System.GetUtcNow():yyyy-MM-dd HH:mm} UTC").AppendLine();
        page.AppendLine(CultureInfo.InvariantCulture,
            $"{settings.Runs} interleaved runs, {settings.WarmUp.TotalSeconds:0.#} s warm-up, {settings.Measure.TotalSeconds:0.#} s measured;");
        page.AppendLine("median (least to greatest).").AppendLine();
        page.Append(_page);
        page.AppendLine("## Machine").AppendLine();
        foreach (var fact in Machine.Facts())
            page.Append("- ").AppendLine(fact);
        page.AppendLine().AppendLine("## Configurations").AppendLine();
        foreach (var system in settings.Systems.Where(s => s != Peer.Direct))
            page.Append("```\n").Append(PeerConfiguration.Template(system, TemplateKind)).AppendLine("```").AppendLine();
        return page.ToString();
    }
}
