using System.Globalization;
using System.Net;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Affinity;

/// <summary>A client that keeps the gateway's cookie as a browser does.</summary>
internal sealed class Visitor(IPEndPoint gateway)
{
    private const string Name = "holdfast=";

    /// <summary><c>holdfast=VALUE</c>, or null.</summary>
    public string? Cookie { get; set; }

    /// <summary>The whole Set-Cookie of the gateway's that came last, if the last answer had one.</summary>
    public string? SetCookie { get; private set; }

    /// <summary>The port of the endpoint that answered a plain request.</summary>
    public int Get(string target = "/", params string[] more)
    {
        using var client = RawPeer.Connect(gateway);
        client.Send($"GET {target} HTTP/1.1\r\nHost: test.example\r\n{string.Concat(With(more).Select(l => l + "\r\n"))}\r\n");
        var head = client.ReceiveHead();
        Assert.Equal(200, Upgrades.Status(head));
        return Take(head);
    }

    /// <summary>The port of the endpoint that answered an upgrade, whose connection goes on.</summary>
    public int Open(out RawPeer client, string target = "/ws", params string[] more)
    {
        client = RawPeer.Connect(gateway);
        var head = client.Upgrade(target, [.. With(more)]);
        Assert.Equal(101, Upgrades.Status(head));
        return Take(head);
    }

    /// <summary>As <see cref="Open"/>, and leaves.</summary>
    public int Visit(string target = "/ws", params string[] more)
    {
        var port = Open(out var client, target, more);
        client.Dispose();
        return port;
    }

    private IEnumerable<string> With(string[] more) => Cookie is null ? more : more.Append("Cookie: theme=dark; " + Cookie);

    private int Take(string head)
    {
        var set = Upgrades.Values(head, "Set-Cookie");
        Assert.Equal(["app=1", "b=2"], set.Where(c => !c.StartsWith(Name, StringComparison.Ordinal)));
        SetCookie = set.SingleOrDefault(c => c.StartsWith(Name, StringComparison.Ordinal));
        Cookie = SetCookie?.Split(';')[0] ?? Cookie;
        return int.Parse(Upgrades.Value(head, "X-Endpoint")!, CultureInfo.InvariantCulture);
    }
}
