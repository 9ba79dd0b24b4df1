using System.Net;
using System.Net.Sockets;

namespace Holdfast.Cli.Dev;

/// <summary>Asks once whether a process is ready for traffic. Any thread.</summary>
internal interface IReadinessCheck
{
    /// <summary>What is waited for, to be read after "waiting for".</summary>
    string Describe { get; }

    /// <summary>Whether it is asked on after it was ready once.</summary>
    bool IsAskedAgain { get; }

    /// <summary>False for any failure; only cancellation throws.</summary>
    Task<bool> IsReadyAsync(CancellationToken cancel);
}

/// <summary>
/// Ready as soon as the port accepts: all that can be asked of an application without a health path. Asked once: most applications have something
/// to say about a client that connects and leaves.
/// </summary>
internal sealed class PortReadiness(int port) : IReadinessCheck
{
    public string Describe => $"127.0.0.1:{port} to accept";

    public bool IsAskedAgain => false;

    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>Ready when a GET is answered with 2xx.</summary>
internal sealed class HttpReadiness(HttpClient http, Uri address, bool isAskedAgain = true) : IReadinessCheck
{
    public string Describe => $"a 2xx from {address}";

    public bool IsAskedAgain => isAskedAgain;

    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        try
        {
            using var response = await http.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancel);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            // The client's own time-out.
            return false;
        }
    }
}
