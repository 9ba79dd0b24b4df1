using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using Holdfast.Relay.Interop;

namespace Holdfast.Cli.Load;

/// <summary>One <c>holdfast load</c> at the terminal: finds the address, runs, shows progress, obeys signals, reports.</summary>
internal sealed class LoadSession(LoadOptions options, bool json, TextWriter output, TextWriter progress, TimeProvider time)
{
    // Beside the connections: standard streams, epoll, eventfds, the runtime's own.
    private const int OtherDescriptors = 64;
    private bool _lineIsOpen;

    public async Task<int> RunAsync()
    {
        if (options.Connections + OtherDescriptors > Sys.DescriptorLimit())
        {
            return await FailAsync($"{options.Connections} connections need about {options.Connections + OtherDescriptors} file descriptors, "
                + $"and the limit is {Sys.DescriptorLimit()} (see ulimit -n)");
        }

        NativeAddress target;
        try
        {
            target = NativeAddress.From(await FindAsync());
        }
        catch (SocketException e)
        {
            return await FailAsync($"cannot connect to {options.Url}: {e.Message}");
        }

        using var run = new LoadRun(options, target, time);
        var signals = 0;
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        void OnSignal(PosixSignalContext context)
        {
            // The second one kills as usual.
            context.Cancel = Interlocked.Increment(ref signals) == 1;
            run.Stop();
        }

        var running = run.RunAsync();
        await ShowProgressAsync(run, running);
        return await ReportAsync(await running);
    }

    /// <summary>Of several addresses of a name, the first that accepts; one address is taken as it is.</summary>
    private async Task<IPEndPoint> FindAsync()
    {
        var host = options.Url.IdnHost.Trim('[', ']');
        var addresses = IPAddress.TryParse(host, out var one) ? [one] : await Dns.GetHostAddressesAsync(host);
        var usable = addresses.Where(a => options.Sources.Count == 0 || a.AddressFamily == options.Sources[0].AddressFamily).ToArray();
        for (var i = 0; i < usable.Length - 1; i++)
        {
            using var probe = new Socket(usable[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            using var limit = new CancellationTokenSource(options.HandshakeTimeout, time);
            try
            {
                await probe.ConnectAsync(usable[i], options.Url.Port, limit.Token);
                return new IPEndPoint(usable[i], options.Url.Port);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The next address is tried.
            }
        }

        return usable.Length > 0 ? new IPEndPoint(usable[^1], options.Url.Port) : throw new SocketException((int)SocketError.HostNotFound);
    }

    private async Task ShowProgressAsync(LoadRun run, Task running)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), time);
        var before = run.Snapshot();
        var startedAt = 0L;
        while (true)
        {
            var tick = timer.WaitForNextTickAsync().AsTask();
            if (await Task.WhenAny(running, tick) == running)
                break;
            var started = run.Started.IsCompleted;
            if (started && startedAt == 0)
                startedAt = time.GetTimestamp();
            var now = run.Snapshot();
            var seconds = started ? time.GetElapsedTime(startedAt).TotalSeconds + 1 : 0;
            await WriteLineAsync(LoadText.Progress(now, before, seconds, options, started));
            before = now;
        }

        if (_lineIsOpen)
            await progress.WriteLineAsync();
    }

    private async Task WriteLineAsync(string line)
    {
        if (Console.IsErrorRedirected)
        {
            await progress.WriteLineAsync(line);
            return;
        }

        // Over the last line; the rest of a longer one is blanked (EL, ECMA-48).
        await progress.WriteAsync("\r" + line + "\x1b[K");
        _lineIsOpen = true;
    }

    private async Task<int> ReportAsync(LoadReport report)
    {
        await output.WriteLineAsync(json ? JsonSerializer.Serialize(report, LoadJson.Default.LoadReport) : LoadText.Report(report).TrimEnd());
        if (report.Connected == 0 && !report.Interrupted)
        {
            return await FailAsync($"cannot connect to {options.Url}: {string.Join(", ", report.Failed.Keys)}");
        }

        return report.IsClean ? ExitCodes.Ok : ExitCodes.FaultsFound;
    }

    private async Task<int> FailAsync(string why)
    {
        await progress.WriteLineAsync("holdfast: " + why);
        return ExitCodes.Failed;
    }
}
