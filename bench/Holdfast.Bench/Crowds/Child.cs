using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Holdfast.Bench.Crowds;

/// <summary>
/// Another process of this program, on the load's core: a hidden command that says a line when it is ready, takes orders by lines and ends when its
/// standard input does, so that none outlives the bench.
/// </summary>
internal sealed class Child : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private readonly string _command;
    private readonly Process _process;

    private Child(string command, Process process)
    {
        _command = command;
        _process = process;
    }

    /// <param name="idle">Runs only in time that load and backend leave (SCHED_IDLE): it must not make the load late, whose latencies are measured.</param>
    public static Child Start(bool idle, string command, params object[] arguments)
    {
        var program = new List<string> { "dotnet", typeof(Child).Assembly.Location, command };
        program.AddRange(arguments.Select(argument => Convert.ToString(argument, CultureInfo.InvariantCulture)!));
        if (idle)
            program.InsertRange(0, ["chrt", "--idle", "0"]);
        var start = Pinning.Taskset(Pinning.LoadCore, program[0], program.Skip(1));
        start.RedirectStandardInput = start.RedirectStandardOutput = true;
        return new Child(command, Process.Start(start)!);
    }

    public int ProcessId => _process.Id;

    public Task TellAsync(string order) => _process.StandardInput.WriteLineAsync(order);

    public async Task<string> HearAsync(TimeSpan? patience = null)
    {
        using var limit = new CancellationTokenSource(patience ?? Patience);
        try
        {
            return await _process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new BenchException($"The process '{_command}' ended early");
        }
        catch (OperationCanceledException)
        {
            throw new BenchException($"The process '{_command}' says nothing");
        }
    }

    /// <summary>Gives an order that is answered by one line of JSON.</summary>
    public async Task<T> AskAsync<T>(string order, TimeSpan? patience = null)
    {
        await TellAsync(order);
        return JsonSerializer.Deserialize<T>(await HearAsync(patience)) ?? throw new BenchException($"The process '{_command}' answers nothing");
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }
}
