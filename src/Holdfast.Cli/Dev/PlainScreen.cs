using System.Globalization;

namespace Holdfast.Cli.Dev;

/// <summary>Plain lines for logs and pipes: one per change, the replicas' output with a prefix, and a summary when something moved.</summary>
internal sealed class PlainScreen(TextWriter output, TimeProvider time) : IDevScreen
{
    private static readonly TimeSpan SummaryInterval = TimeSpan.FromSeconds(5);
    private readonly Lock _lock = new();
    private volatile DevModel? _model;

    public void Tell(ProcessEvent happened)
    {
        Say($"{happened.Process}: {happened.Text}");

        // A replica's output has been shown as it came; the gateway's is worth showing only when it ended.
        if (happened.Process == "gateway")
        {
            if (happened.Kind == ProcessEventKind.Ready && _model is { } model)
                Say($"open {model.Options.Address}");
            foreach (var line in happened.LastOutput)
                Output(happened.Process, line);
        }
    }

    public void Output(string replica, string line) => Say($"[{replica}] {line}");

    public void Say(string sentence)
    {
        lock (_lock)
            output.WriteLine(sentence);
    }

    public async Task RunAsync(DevModel model, CancellationToken stop)
    {
        _model = model;
        var options = model.Options;
        var replicas = options.Replicas == 1 ? "1 replica" : string.Create(CultureInfo.InvariantCulture, $"{options.Replicas} replicas");
        var app = options.App is { } command ? $"'{command}'" : "the Showcase";
        Say($"{replicas} of {app} behind {options.Address}, admin API at {options.AdminAddress}");
        if (model.HasKeys)
            Say("keys: r rolls all, + and - scale, d drains the busiest or takes it back, k kills the busiest, 1-9 kill that one, q quits");
        var last = "";
        while (true)
        {
            await Task.Delay(SummaryInterval, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested)
                return;
            if (Summary(model) is { } summary && summary != last)
                Say(last = summary);
        }
    }

    /// <summary>Null while the gateway does not answer.</summary>
    internal static string? Summary(DevModel model)
    {
        var view = model.Admin.View;
        if (!view.Answers)
            return null;
        var endpoints = view.EndpointsOf(model.Backend);
        var each = model.Replicas.Select(r => string.Create(
            CultureInfo.InvariantCulture, $"{r.Name} {endpoints.GetValueOrDefault(r.Address)?.Connections ?? 0}"));
        var traffic = string.Create(
            CultureInfo.InvariantCulture,
            $"{endpoints.Values.Sum(e => e.Connections)} connections ({string.Join(", ", each)}), {view.Connects.Now:0} new/s, "
            + $"{view.Rates.Values.Sum(r => r.ToEndpoint):0} messages/s to replicas, {view.Rates.Values.Sum(r => r.ToClient):0} to clients");
        var rehomes = view.Rehomes.Total > 0 ? string.Create(CultureInfo.InvariantCulture, $", {view.Rehomes.Total} re-homed") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{traffic}{rehomes}, {model.Replicas.Sum(r => r.Process.Snapshot.Restarts)} restarts");
    }
}
