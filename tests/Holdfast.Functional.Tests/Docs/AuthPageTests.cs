using System.Net;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Docs;

/// <summary>What docs/auth.md says, with its configuration and its service as they stand there but for the addresses.</summary>
public sealed class AuthPageTests : IDisposable
{
    private const string Page = "docs/auth.md";

    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-auth-").FullName;

    [Fact]
    public async Task The_service_on_the_page_decides_who_gets_to_an_endpoint_and_what_that_is_told()
    {
        if (Requires.Tool("node") is { } missing)
            Assert.Skip(missing);
        await File.WriteAllTextAsync(Path.Combine(_folder, "auth.js"), CodeBlock.Only(Page, "js").Text, TestContext.Current.CancellationToken);
        var service = await SampleServer.StartAsync(_folder, "node", "auth.js");
        using var endpoints = RawPeer.Listen();
        await using var gateway = await StartAsync(service.Port, ((IPEndPoint)endpoints.LocalEndPoint!).Port);

        foreach (var upgrade in (bool[])[true, false])
        {
            using (var stranger = Ask(gateway, upgrade, "/ws", "X-User: ann", "Cookie: session=none"))
            {
                var head = stranger.ReceiveHead();
                Assert.Equal((401, "Bearer", "application/json"), (Upgrades.Status(head), Upgrades.Value(head, "WWW-Authenticate"), Upgrades.Value(head, "Content-Type")));
                Assert.Equal("{\"error\":\"sign in first\"}\n", Encoding.ASCII.GetString(stranger.Receive(int.Parse(Upgrades.Value(head, "Content-Length")!, System.Globalization.CultureInfo.InvariantCulture))));
            }

            using (var bob = Ask(gateway, upgrade, "/ws/admin?x=1", "Authorization: Bearer bobs-session"))
                Assert.Equal(403, Upgrades.Status(bob.ReceiveHead()));
            using var ann = Ask(gateway, upgrade, "/ws/admin?x=1", "Cookie: a=b; session=anns-session", "X-User: forged", "X_USER: forged");
            using var told = RawPeer.Accept(endpoints);
            var request = upgrade ? told.AnswerUpgrade() : told.ReceiveHead();
            if (!upgrade)
                told.Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            Assert.Equal(upgrade ? 101 : 200, Upgrades.Status(ann.ReceiveHead()));
            Assert.Equal(["ann"], Upgrades.Values(request, "X-User"));
            Assert.DoesNotContain("forged", request, StringComparison.Ordinal);
        }

        // The strangers' requests have not come there.
        Assert.False(endpoints.Poll(0, System.Net.Sockets.SelectMode.SelectRead));

        using var open = Ask(gateway, upgrade: true, "/ws", "Cookie: session=bobs-session");
        using var endpoint = RawPeer.Accept(endpoints);
        _ = endpoint.AnswerUpgrade();
        Assert.Equal(101, Upgrades.Status(open.ReceiveHead()));
        await service.DisposeAsync();
        foreach (var upgrade in (bool[])[true, false])
        {
            using var late = Ask(gateway, upgrade, "/ws", "Cookie: session=anns-session");
            var head = late.ReceiveHead();
            Assert.Equal((503, "1"), (Upgrades.Status(head), Upgrades.Value(head, "Retry-After")));
        }

        open.Send(Frames.FromClient(Frames.Text, "still here"u8));
        Assert.Equal("still here"u8.ToArray(), endpoint.ReceiveFrame().Payload);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static RawPeer Ask(GatewayHost gateway, bool upgrade, string target, params string[] lines)
    {
        var client = RawPeer.Connect(gateway.Addresses[0]);
        client.Send(upgrade ? Upgrades.Request(target, lines) : $"GET {target} HTTP/1.1\r\nHost: test.example\r\n{string.Concat(lines.Select(l => l + "\r\n"))}\r\n");
        return client;
    }

    private static Task<GatewayHost> StartAsync(int service, int endpoint)
    {
        var read = ConfigurationReader.Read(CodeBlock.Only(Page, "yaml").Text, Page);
        Assert.Empty(read.Faults);
        var shown = read.Configuration!;
        var chat = shown.Backends[0];
        var loopback = new IPEndPoint(IPAddress.Loopback, 0);
        var configuration = shown with
        {
            Listeners = [shown.Listeners[0] with { Address = loopback }],
            Admin = shown.Admin with { Address = loopback },
            Backends =
            [
                chat with
                {
                    Endpoints = [new EndpointAddress("127.0.0.1", endpoint)],
                    SlowStart = TimeSpan.Zero,
                    Auth = chat.Auth! with { Url = new Uri($"http://127.0.0.1:{service}{chat.Auth.Url.PathAndQuery}"), Timeout = RawPeer.Patience },
                },
            ],
        };
        return GatewayHost.StartAsync(configuration, new GatewayHostOptions
        {
            Loops = 1,
            Names = new ResolverSources { ResolvConf = "/dev/null", Hosts = "/dev/null", Servers = [new IPEndPoint(IPAddress.Loopback, 1)] },
            LogLevel = LogLevel.None,
        });
    }
}
