using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Hosting;
using Holdfast.Testing;
using Microsoft.Extensions.Logging;

namespace Holdfast.Functional.Tests.Affinity;

/// <summary>The configurations in docs/affinity.md, run as they are but for addresses and the secret's file.</summary>
public sealed class DocumentedAffinityTests : IDisposable
{
    private readonly NamedEndpoint[] _endpoints = NamedEndpoint.Start(3);
    private readonly string _secret = Path.GetTempFileName();

    [Theory]
    [InlineData("cookie")]
    [InlineData("header")]
    [InlineData("query")]
    [InlineData("clientAddress")]
    public async Task A_configuration_does_what_the_page_says(string kind)
    {
        await File.WriteAllTextAsync(_secret, new string('s', 64), TestContext.Current.CancellationToken);
        var block = CodeBlock.Read("docs/affinity.md").Single(b => b.Language == "yaml" && b.Text.Contains(kind + ":", StringComparison.Ordinal));
        var read = ConfigurationReader.Read(block.Text, $"{block.Page}:{block.Line}");
        Assert.True(read.Configuration is not null, string.Join('\n', read.Faults));
        var configuration = read.Configuration!;
        var backend = configuration.Backends.Single();
        await using var gateway = await GatewayHost.StartAsync(
            configuration with
            {
                Admin = configuration.Admin with { Address = new IPEndPoint(IPAddress.Loopback, 0) },
                // Tests come from loopback, which is the proxy's here.
                Listeners = [configuration.Listeners[0] with { Address = new IPEndPoint(IPAddress.Loopback, 0), TrustedProxies = [IPNetwork.Parse("127.0.0.0/8")] }],
                Backends =
                [
                    backend with
                    {
                        Endpoints = [.. _endpoints.Select(e => new EndpointAddress("127.0.0.1", e.Port))],
                        SlowStart = TimeSpan.Zero,
                        Affinity = backend.Affinity.Cookie is { } cookie ? backend.Affinity with { Cookie = cookie with { SecretFile = _secret } } : backend.Affinity,
                    },
                ],
            },
            new GatewayHostOptions { Loops = 1, LogLevel = LogLevel.Error },
            TestContext.Current.CancellationToken);

        var homes = new HashSet<int>();
        // Ports, and with them the homes of keys, are random: twelve visitors miss an endpoint once in fifty runs.
        for (var i = 0; i < 12 || (homes.Count < 3 && i < 200); i++)
        {
            var visitor = new Visitor(gateway.Addresses[0]);
            var (target, headers) = kind switch
            {
                "header" => ("/ws", [$"x-room: room{i}"]),
                "query" => ($"/ws?room=room{i}", []),
                "clientAddress" => ("/ws", [$"X-Forwarded-For: 192.0.2.{i}"]),
                _ => ("/ws", Array.Empty<string>()),
            };
            var home = visitor.Visit(target, headers);
            homes.Add(home);
            for (var again = 0; again < 3; again++)
            {
                Assert.Equal(home, visitor.Visit(target, headers));
                Assert.Equal(home, visitor.Get(target, headers));
            }
        }

        Assert.Equal(3, homes.Count);
    }

    public void Dispose()
    {
        File.Delete(_secret);
        Array.ForEach(_endpoints, e => e.Dispose());
    }
}
