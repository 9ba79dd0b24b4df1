using System.Net;
using System.Net.Sockets;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Health;

/// <summary>One active check of one endpoint, over a connection of its own. Any thread.</summary>
internal static class EndpointCheck
{
    /// <summary>Ends within the options' timeout, whatever the endpoint does; only <paramref name="cancel"/> throws.</summary>
    public static async Task<CheckResult> RunAsync(EndpointState endpoint, HealthCheckOptions options, TimeProvider time, CancellationToken cancel)
    {
        if (endpoint.Resolved is not { } resolved)
            return new CheckResult(CheckOutcome.ConnectFailed, "its host name has no address");
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancel);
        try
        {
            return await RunAsync(resolved.Address.ToEndPoint(), endpoint.Address.ToString(), options, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new CheckResult(CheckOutcome.Timeout, $"it did not answer within {Api.Units.Format(options.Timeout)}");
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode switch
            {
                SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable =>
                    new CheckResult(CheckOutcome.NotMade, "the gateway has no descriptors or ports left"),
                SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => CheckResult.Ended,
                _ => new CheckResult(CheckOutcome.ConnectFailed, "it cannot be connected to: " + e.SocketErrorCode),
            };
        }
    }

    private static async Task<CheckResult> RunAsync(IPEndPoint address, string host, HealthCheckOptions options, CancellationToken cancel)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, cancel).ConfigureAwait(false);
        return options.Kind switch
        {
            HealthCheckKind.Tcp => CheckResult.Passed,
            HealthCheckKind.Http => await HttpCheck.RunAsync(new CheckStream(socket), host, options.Path, cancel).ConfigureAwait(false),
            HealthCheckKind.WebSocket => await WebSocketCheck.RunAsync(new CheckStream(socket), host, options.Path, cancel).ConfigureAwait(false),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Kind, "No kind of check."),
        };
    }
}
