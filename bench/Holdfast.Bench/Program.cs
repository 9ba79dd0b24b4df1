using System.CommandLine;
using System.Runtime.InteropServices;
using Holdfast.Bench;
using Holdfast.Bench.Peers;

if (!Pinning.IsPinned && args.Length > 0 && !args.Any(a => a is "--help" or "-h" or "-?" or "--version"))
    return await Pinning.RunAgainAsync(args);

// Nothing is left running behind an interrupted bench.
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return await BenchCommands.Create().Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });

static void Stop(PosixSignalContext context)
{
    Peer.KillAll();
    Environment.Exit(130);
}
