using System.Runtime.InteropServices;
using Holdfast.Gateway.Hosting;

namespace Holdfast.Cli.Commands;

/// <summary>
/// What signals ask of a gateway: SIGTERM drains it and a second one hurries, SIGINT closes all at once, SIGHUP reads the configuration again.
/// During the start the first two end it. From construction to disposal no signal of these has the system's effect.
/// </summary>
internal sealed class GatewaySignals : IDisposable
{
    private readonly CancellationTokenSource _starting = new();
    private readonly PosixSignalRegistration[] _registrations;
    private readonly Lock _gate = new();
    private GatewayHost? _host;

    public GatewaySignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Stop(context, atOnce: false)),
        PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Stop(context, atOnce: true)),
        PosixSignalRegistration.Create(PosixSignal.SIGHUP, Reread),
    ];

    /// <summary>Cancelled by a signal that comes before there is a host to stop.</summary>
    public CancellationToken Starting => _starting.Token;

    /// <summary>The host runs; it is stopped at once when a signal came while it started.</summary>
    public void Attach(GatewayHost host)
    {
        lock (_gate)
        {
            _host = host;
            if (_starting.IsCancellationRequested)
                _ = host.StopAsync(atOnce: true);
        }
    }

    public void Dispose()
    {
        Array.ForEach(_registrations, static r => r.Dispose());
        _starting.Dispose();
    }

    private void Stop(PosixSignalContext context, bool atOnce)
    {
        context.Cancel = true;
        lock (_gate)
        {
            if (_host is { } host)
                _ = host.StopAsync(atOnce);
            else
                _starting.Cancel();
        }
    }

    private void Reread(PosixSignalContext context)
    {
        context.Cancel = true;
        lock (_gate)
            _host?.Reread();
    }
}
