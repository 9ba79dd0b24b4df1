using System.Runtime.InteropServices;

namespace Holdfast.Cli.Commands;

/// <summary>The signals that end a command: the first quits, the second does not wait.</summary>
internal sealed class SignalSet : IDisposable
{
    private readonly PosixSignalRegistration[] _registrations;

    public SignalSet(CancellationTokenSource quit, CancellationTokenSource hurry)
    {
        _registrations = [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT])
            .Select(signal => PosixSignalRegistration.Create(signal, On))];

        void On(PosixSignalContext context)
        {
            context.Cancel = true;
            (quit.IsCancellationRequested ? hurry : quit).Cancel();
        }
    }

    public void Dispose() => Array.ForEach(_registrations, r => r.Dispose());
}
