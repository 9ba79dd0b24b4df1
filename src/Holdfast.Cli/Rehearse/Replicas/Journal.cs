using System.Globalization;
using System.Text;
using Holdfast.Cli.Rehearse.Judging;
using Microsoft.Win32.SafeHandles;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>What this process has read and answered, each with a write of its own to the kernel: SIGKILL takes none of it. Thread-safe.</summary>
internal sealed class Journal : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SafeFileHandle _file;
    private readonly RunClock _clock;
    private long _length;

    /// <exception cref="IOException">The folder is missing, or full.</exception>
    public Journal(string folder, string replica, int process, RunClock clock)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{replica}.{process}{JournalReader.Extension}");
        _file = File.OpenHandle(Path.Combine(folder, name), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
        _clock = clock;
    }

    /// <summary>Before the handler runs. Returns the entry's time.</summary>
    public long Read(int connection, int sequence)
    {
        lock (_lock)
        {
            var now = _clock.Now;
            Append(string.Create(CultureInfo.InvariantCulture, $"M {connection} {sequence} {now}\n"));
            return now;
        }
    }

    /// <summary>After the WebSocket library has taken the answer.</summary>
    public void Answered(int connection, int sequence, long took)
    {
        lock (_lock)
            Append(string.Create(CultureInfo.InvariantCulture, $"A {connection} {sequence} {_clock.Now} {took}\n"));
    }

    public void Dispose()
    {
        lock (_lock)
            _file.Dispose();
    }

    private void Append(string line)
    {
        var bytes = Encoding.ASCII.GetBytes(line);
        RandomAccess.Write(_file, bytes, _length);
        _length += bytes.Length;
    }
}
