using System.Net;
using System.Net.Sockets;

namespace Holdfast.Gateway.Hosting;

/// <summary>Where .NET goes on with what waited on a socket.</summary>
public static class SocketCompletions
{
    /// <summary>
    /// What moves bytes from socket to socket yields after so many pieces: where neither side makes it wait, it would keep every other socket of its thread waiting for as
    /// long as a peer likes to send.
    /// </summary>
    internal const int PiecesPerTurn = 16;

    private const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Lets sockets go on where their events are read, one thread for each core, instead of handing each over to the thread pool: a plain request passes eight such
    /// handovers and takes half the CPU without them (bench/README.md). Only for a process that does nothing else with sockets: whoever waits there, blocked, keeps a
    /// part of all sockets waiting. To be called before the process's first socket. An operator's own setting of the variable counts.
    /// </summary>
    public static void RunInline()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not null)
            return;
        Environment.SetEnvironmentVariable(Variable, "1");
        try
        {
            // It is read at the first wait, and then never again; a child should not inherit it.
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _ = ForgetAsync(socket.ReceiveAsync(new byte[1]));
        }
        catch (SocketException)
        {
            // Whatever it is, who listens next meets it too, and says so.
        }

        Environment.SetEnvironmentVariable(Variable, null);
    }

    private static async Task ForgetAsync(Task<int> receiving)
    {
        try
        {
            _ = await receiving.ConfigureAwait(false);
        }
        catch (SocketException)
        {
            // Closed, as it was meant to be.
        }
    }
}
