using System.Net.WebSockets;
using Showcase.Hosting;

namespace Showcase.Chat;

/// <summary>The chat's addresses: its page at /, its WebSocket at /ws/chat?room=..&amp;name=.., and /api/replica.</summary>
internal static class ChatEndpoints
{
    public static void AddChat(this IServiceCollection services)
    {
        services.AddSingleton<ChatRooms>();
        services.ConfigureHttpJsonOptions(o => o.SerializerOptions.TypeInfoResolverChain.Insert(0, ChatJson.Default));
    }

    public static void MapChat(this IEndpointRouteBuilder routes)
    {
        routes.MapPageFile("/", "index.html");
        routes.MapPageFile("/chat.css", "chat.css");
        routes.MapPageFile("/chat.js", "chat.js");
        routes.MapGet("/api/replica", (ChatRooms rooms, Replica replica, TimeProvider time) => TypedResults.Ok(new ReplicaStatus(
            replica.Name,
            Environment.ProcessId,
            rooms.Connections,
            rooms.RoomCount,
            (long)time.GetElapsedTime(replica.StartedAt).TotalMilliseconds)));
        routes.MapGet("/ws/chat", ServeAsync);
    }

    private static async Task ServeAsync(HttpContext context, ChatRooms rooms, TimeProvider time, IHostApplicationLifetime lifetime)
    {
        if (!context.WebSockets.IsWebSocketRequest)
        {
            context.Response.Headers.Upgrade = "websocket";
            await RefuseAsync(context, StatusCodes.Status426UpgradeRequired, "this address speaks WebSocket");
            return;
        }

        if (!ChatInput.TryReadRoom(context.Request.Query["room"], out var roomName, out var fault)
            || !ChatInput.TryReadName(context.Request.Query["name"], out var name, out fault))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, fault);
            return;
        }

        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, "this replica is stopping");
            return;
        }

        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        using var client = new ChatClient(rooms.NextClientId(), name, socket, time);
        await using var stopping = lifetime.ApplicationStopping.Register(
            () => client.Close(WebSocketCloseStatus.EndpointUnavailable, "this replica is stopping"));

        // The client reads the delay out of the reason; browsers show a page nothing else of a refusal.
        var room = rooms.Join(roomName, client);
        if (room is null)
        {
            client.Close((WebSocketCloseStatus)1013, "retry-after=5000");
            await client.RunAsync(static _ => { }, context.RequestAborted);
        }
        else
        {
            try
            {
                await client.RunAsync(message => Handle(room, client, message.Span), context.RequestAborted);
            }
            finally
            {
                rooms.Leave(room, client);
            }
        }

        // Without this the server would go on trying to flush to a client that does not read.
        if (socket.State == WebSocketState.Aborted)
            context.Abort();
    }

    private static void Handle(ChatRoom room, ChatClient client, ReadOnlySpan<byte> message)
    {
        if (ChatInput.TryReadSay(message, out var text, out var fault))
            room.Say(client, text);
        else
            client.Send(new Refused(fault));
    }

    private static Task RefuseAsync(HttpContext context, int status, string why)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(why + "\n", context.RequestAborted);
    }
}
