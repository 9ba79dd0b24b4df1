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

    /// <param name="first">It goes before all else on its core but the load's thread (SCHED_FIFO): the backend, so that it is not late itself. Others go before the machine's other programs.</param>
    public static Child Start(bool first, string command, params object[] arguments)
    {
        var program = new List<string> { "dotnet", typeof(Child).Assembly.Location, command };
        program.AddRange(arguments.Select(argument => Convert.ToString(argument, CultureInfo.InvariantCulture)!));
        program.InsertRange(0, first ? ["chrt", "--fifo", "10"] : ["nice", "-n", "-19"]);
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
