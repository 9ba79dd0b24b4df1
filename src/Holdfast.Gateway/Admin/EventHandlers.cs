using System.Buffers;
using System.Text;
using Holdfast.Gateway.Events;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Holdfast.Gateway.Admin;

/// <summary>/v1/events: what happens, as server-sent events (WHATWG HTML 9.2), until the reader leaves or the gateway stops.</summary>
internal sealed class EventHandlers(GatewayEvents events, TimeProvider time)
{
    /// <summary>How long nothing is sent: what stands between ends silent connections after a minute or so.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(15);

    public async Task StreamAsync(HttpContext context)
    {
        if (events.Join() is not { } reader)
        {
            await context.FailAsync(StatusCodes.Status503ServiceUnavailable, FormattableString.Invariant($"{GatewayEvents.MaxReaders} readers follow the events; more are not served"));
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            if (!HttpMethods.IsHead(context.Request.Method))
                await StreamAsync(context, reader);
        }
        finally
        {
            events.Leave(reader);
        }
    }

    private async Task StreamAsync(HttpContext context, EventReader reader)
    {
        // A reader that takes its time loses events and is told so: no reason to cut it off.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
        var stopping = context.RequestServices.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        var body = context.Response.BodyWriter;
        try
        {
            // At once, so that whoever asked knows that it follows.
            body.Write(": holdfast\n\n"u8);
            _ = await body.FlushAsync(end.Token);
            while (true)
            {
                var came = await reader.WaitAsync(LongestSilence, time, end.Token);
                while (reader.TryTake(out var happened))
                {
                    Write(body, happened);
                    // After each, so that what waits waits where it is bounded.
                    _ = await body.FlushAsync(end.Token);
                }

                if (came)
                    continue;
                body.Write(": nothing yet\n\n"u8);
                _ = await body.FlushAsync(end.Token);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The reader has gone, or the gateway goes.
        }
    }

    private static void Write(IBufferWriter<byte> body, GatewayEvent happened)
    {
        body.Write("event: "u8);
        body.Write(Encoding.ASCII.GetBytes(happened.Name));
        body.Write("\ndata: "u8);
        body.Write(happened.Json);
        body.Write("\n\n"u8);
    }
}
