using System.Globalization;
using Holdfast.Functional.Tests.Health;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Affinity;

/// <summary>An endpoint that says who it is in each answer, and sets a cookie of its own.</summary>
internal sealed class NamedEndpoint : IDisposable
{
    private readonly ScriptedEndpoint _endpoint;

    public NamedEndpoint() => _endpoint = new ScriptedEndpoint(Answer);

    public int Port => _endpoint.Port;

    /// <summary>The Cookie header of the request that came last.</summary>
    public string? Cookie { get; private set; }

    public static NamedEndpoint[] Start(int count) => [.. Enumerable.Range(0, count).Select(_ => new NamedEndpoint())];

    public void Dispose() => _endpoint.Dispose();

    public void StopListening() => _endpoint.StopListening();

    private void Answer(RawPeer peer, string head)
    {
        Cookie = Upgrades.Value(head, "Cookie");
        var name = "X-Endpoint: " + Port.ToString(CultureInfo.InvariantCulture);
        if (Upgrades.Value(head, "Upgrade") is null)
        {
            peer.Send($"HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: app=1\r\nSet-Cookie: b=2\r\n{name}\r\nContent-Length: 2\r\n\r\nok");
            return;
        }

        peer.Send(Upgrades.Switching(head, name, "Set-Cookie: app=1", "Set-Cookie: b=2"));
        Answers.Echo(peer, pongs: true);
    }
}
