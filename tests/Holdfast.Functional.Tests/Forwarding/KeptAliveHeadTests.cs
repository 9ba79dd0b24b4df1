using System.Net;
using System.Text;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Gateway.Listeners;
using Holdfast.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Holdfast.Functional.Tests.Forwarding;

/// <summary>Bad heads behind good requests, on one connection: one place decides, so the answers are those that a first request gets.</summary>
public sealed class KeptAliveHeadTests : IAsyncLifetime
{
    private const string Good = "POST /good HTTP/1.1\r\nHost: test.example\r\nContent-Length: 2\r\n\r\nok";

    private readonly WebApplication _endpoint;
    private GatewayFixture _gateway = null!;
    private int _seen;

    public KeptAliveHeadTests()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _endpoint = builder.Build();
        _endpoint.Run(context =>
        {
            Interlocked.Increment(ref _seen);
            Assert.Equal("/good", context.Request.Path);
            return Task.CompletedTask;
        });
    }

    [Fact]
    public async Task A_bad_second_head_gets_the_bytes_that_a_bad_first_one_gets_and_nothing_behind_it_is_read()
    {
        var rows = 0;
        foreach (var (name, (head, _, _)) in RefusedHeadTests.Heads)
        {
            // The other rows are good heads of bad handshakes.
            var end = head.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
            if (end is >= 4 and <= 32 * 1024 && new RequestHead().Parse(Encoding.Latin1.GetBytes(head[..end])) == HeadFault.None)
                continue;
            using var first = _gateway.Connect();
            first.Send(head);
            var expected = Encoding.Latin1.GetString(first.ReceiveToEnd());

            using var second = _gateway.Connect();
            second.Send(Good + Good);
            for (var i = 0; i < 2; i++)
            {
                var answer = second.ReceiveHead();
                Assert.True(Upgrades.Status(answer) == 200 && Upgrades.Value(answer, "Content-Length") == "0", $"{name}: {answer}");
            }

            second.Send(head + Good);
            Assert.True(expected == Encoding.Latin1.GetString(second.ReceiveToEnd()), name);
            rows++;
            Assert.Equal(2 * rows, Volatile.Read(ref _seen));
        }

        Assert.True(rows > 40, $"{rows} rows");
        await _gateway.SettledAsync();
    }

    public async ValueTask InitializeAsync()
    {
        await _endpoint.StartAsync(TestContext.Current.CancellationToken);
        var address = _endpoint.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        _gateway = await GatewayFixture.StartAsync(new GatewaySetup { Endpoints = [new Uri(address).Port] });
    }

    public async ValueTask DisposeAsync()
    {
        await _gateway.DisposeAsync();
        await _endpoint.DisposeAsync();
    }
}
