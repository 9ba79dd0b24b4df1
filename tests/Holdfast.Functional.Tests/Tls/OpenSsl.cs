using System.Diagnostics;
using System.Globalization;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Tls;

/// <summary>OpenSSL's own client, as whoever tests a server's TLS uses it.</summary>
internal static class OpenSsl
{
    private const string Request = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

    /// <summary>Why the test must skip, or null.</summary>
    public static string? Missing => Requires.Tool("openssl");

    /// <summary>All that <c>openssl s_client</c> prints: about the TLS handshake, and the answer to a GET.</summary>
    public static Task<string> ConnectAsync(int port, params string[] arguments) =>
        RunAsync(Request, ["s_client", "-connect", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), "-ign_eof", .. arguments]);

    /// <summary>As <see cref="ConnectAsync"/>, but the client takes commands, and ends with its input.</summary>
    public static Task<string> CommandAsync(int port, string input, params string[] arguments) =>
        RunAsync(input, ["s_client", "-connect", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"), .. arguments]);

    /// <summary>Names of cipher suites before TLS 1.3, broken ones included, as far as this OpenSSL has them.</summary>
    public static async Task<string[]> CiphersAsync() =>
        (await RunAsync("", ["ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])).Trim().Split('\n')[0].Split(':');

    public static async Task<string> RunAsync(string input, params string[] arguments)
    {
        using var patience = new CancellationTokenSource(RawPeer.Patience);
        using var process = Process.Start(new ProcessStartInfo("openssl", arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
            try
            {
                await process.StandardInput.WriteAsync(input);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // The client has ended already: its output says why.
            }

            await process.WaitForExitAsync(patience.Token);
            return await output + await errors;
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }
}
