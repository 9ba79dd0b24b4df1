using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Tls;

namespace Holdfast.Gateway.Health;

/// <summary>One active check of one endpoint, over a connection of its own. Any thread.</summary>
internal static class EndpointCheck
{
    /// <summary>Ends within the options' timeout, whatever the endpoint does; only <paramref name="cancel"/> throws.</summary>
    /// <param name="tls">How the endpoint is spoken to; null: in plain TCP.</param>
    public static async Task<CheckResult> RunAsync(EndpointState endpoint, UpstreamTls? tls, HealthCheckOptions options, TimeProvider time, CancellationToken cancel)
    {
        if (endpoint.Resolved is not { } resolved)
            return new CheckResult(CheckOutcome.ConnectFailed, "its host name has no address");
        using var timeout = new CancellationTokenSource(options.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancel);
        try
        {
            return await RunAsync(resolved.Address.ToEndPoint(), endpoint.Address, tls, options, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new CheckResult(CheckOutcome.Timeout, $"it did not answer within {Api.Units.Format(options.Timeout)}");
        }
        catch (AuthenticationException e)
        {
            return new CheckResult(CheckOutcome.TlsFailed, e.Message);
        }
        catch (IOException e) when (e.InnerException is not SocketException)
        {
            // TLS was cut off in the middle.
            return CheckResult.Ended;
        }
        catch (Exception e) when ((e as SocketException ?? e.InnerException) is SocketException)
        {
            return (e as SocketException ?? (SocketException)e.InnerException!).SocketErrorCode switch
            {
                SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable or SocketError.AddressNotAvailable =>
                    new CheckResult(CheckOutcome.NotMade, "the gateway has no descriptors or ports left"),
                SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => CheckResult.Ended,
                var code => new CheckResult(CheckOutcome.ConnectFailed, "it cannot be connected to: " + code),
            };
        }
    }

    private static async Task<CheckResult> RunAsync(IPEndPoint address, EndpointAddress endpoint, UpstreamTls? tls, HealthCheckOptions options, CancellationToken cancel)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, cancel).ConfigureAwait(false);
        Stream plain = new NetworkStream(socket, ownsSocket: false);
        var stream = tls is null ? plain : await tls.AuthenticateAsync(plain, endpoint, cancel).ConfigureAwait(false);
        await using var _ = stream.ConfigureAwait(false);
        var connection = new CheckStream(stream);
        return options.Kind switch
        {
            HealthCheckKind.Tcp => CheckResult.Passed,
            HealthCheckKind.Http => await HttpCheck.RunAsync(connection, endpoint.ToString(), options.Path, cancel).ConfigureAwait(false),
            HealthCheckKind.WebSocket => await WebSocketCheck.RunAsync(connection, endpoint.ToString(), options.Path, cancel).ConfigureAwait(false),
            _ => throw new ArgumentOutOfRangeException(nameof(options), options.Kind, "No kind of check."),
        };
    }
}
