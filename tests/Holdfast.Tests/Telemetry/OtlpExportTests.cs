using System.Net;
using System.Text;
using System.Threading.Channels;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Holdfast.Tests.Telemetry;

public sealed class OtlpExportTests
{
    [Fact]
    public void Without_an_endpoint_nothing_is_exported() => Assert.Null(OtlpExport.Start(new ConfigurationBuilder().Build()));

    [Fact]
    public async Task A_receiver_sees_our_metrics_and_the_last_numbers_come_with_the_stop()
    {
        var received = Channel.CreateUnbounded<(string Path, string? Type, string Body)>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrel(o => o.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        await using var receiver = builder.Build();
        receiver.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            // Protobuf keeps strings as they are.
            await received.Writer.WriteAsync((context.Request.Path, context.Request.ContentType, Encoding.Latin1.GetString(body.ToArray())));
            context.Response.ContentType = "application/x-protobuf";
        });
        await receiver.StartAsync();
        using var fixture = new TelemetryFixture(loops: 1);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.Urls.Single(),
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        }).Build();

        var export = OtlpExport.Start(configuration);
        Assert.NotNull(export);
        fixture.Telemetry.OnHandshakeEnded(fixture.Handshake(HandshakeOutcome.Upgraded, fixture.Chat.Endpoints[0]));
        export.Dispose();

        var (path, type, body) = await received.Reader.ReadAsync(new CancellationTokenSource(TimeSpan.FromSeconds(30)).Token);
        Assert.Equal("/v1/metrics", path);
        Assert.Equal("application/x-protobuf", type);
        foreach (var text in new[] { "holdfast_connections", "holdfast_handshakes", "holdfast_handshake_seconds", "holdfast_messages", "service.name", "holdfast", "127.0.0.1:9002", "upgraded" })
            Assert.Contains(text, body, StringComparison.Ordinal);
    }
}
