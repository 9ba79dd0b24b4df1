using System.Net;
using System.Text;
using Holdfast.Gateway.Auth;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Interop;

namespace Holdfast.Functional.Tests.Auth;

/// <summary>Questions as the gateway makes them of heads.</summary>
internal static class Questions
{
    public const string Client = "203.0.113.7";

    /// <param name="lines">Header lines without their CR LF.</param>
    public static AuthQuestion Of(AuthGate gate, string target, params string[] lines)
    {
        var head = new RequestHead();
        Assert.Equal(HeadFault.None, head.Parse(Encoding.Latin1.GetBytes($"GET {target} HTTP/1.1\r\nHost: chat.example:8080\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n")));
        return AuthQuestion.From(gate, head.View, NativeAddress.From(new IPEndPoint(IPAddress.Parse(Client), 4711)), "https");
    }

    /// <summary>Takes a place, asks, and gives it back, as for a handshake.</summary>
    public static async Task<AuthAnswer> AskAsync(AuthGate gate, string target, params string[] lines)
    {
        Assert.True(gate.TryEnter());
        try
        {
            return await gate.AskAsync(Of(gate, target, lines), TestContext.Current.CancellationToken);
        }
        finally
        {
            gate.Exit();
        }
    }
}
