using System.Diagnostics;
using Holdfast.Testing;

namespace Holdfast.Relay.Tests;

/// <summary>A relay in a process of its own (the RelayHost project), spoken to in lines.</summary>
internal sealed class HostProcess : IDisposable
{
    private readonly Process _process;

    /// <param name="descriptors">The limit of open descriptors; 0: as inherited.</param>
    public HostProcess(int descriptors, params string[] arguments)
    {
        var host = Path.Combine(AppContext.BaseDirectory, "Holdfast.RelayHost");
        var start = new ProcessStartInfo(descriptors == 0 ? host : "/bin/sh")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        if (descriptors != 0)
        {
            start.ArgumentList.Add("-c");
            start.ArgumentList.Add(FormattableString.Invariant($"ulimit -n {descriptors}; exec \"$0\" \"$@\""));
            start.ArgumentList.Add(host);
        }

        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
    }

    public string ReadLine()
    {
#pragma warning disable VSTHRD002 // The other process answers on its own.
        var line = _process.StandardOutput.ReadLineAsync();
        Assert.True(line.Wait(RawPeer.Patience), "the process says nothing");
        return line.Result ?? throw new EndOfStreamException("the process has ended");
#pragma warning restore VSTHRD002
    }

    public void WriteLine(string line)
    {
        _process.StandardInput.WriteLine(line);
        _process.StandardInput.Flush();
    }

    /// <summary>Waits for its own end; the exit code.</summary>
    public int WaitForExit()
    {
        Assert.True(_process.WaitForExit(RawPeer.Patience), "the process does not end");
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.Dispose();
    }
}
