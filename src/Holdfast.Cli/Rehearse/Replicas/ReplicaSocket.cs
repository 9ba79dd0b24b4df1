using System.Net.WebSockets;
using System.Text;

namespace Holdfast.Cli.Rehearse.Replicas;

/// <summary>One client's connection to the replica. Its answers are numbered as they are written.</summary>
/// <param name="socket">The application's own WebSocket library.</param>
/// <param name="stream">No other connection of any replica has it.</param>
/// <param name="app">What all connections share.</param>
internal abstract class ReplicaSocket(WebSocket socket, long stream, ReplicaApp app) : IDisposable
{
    private const int MaxMessage = 64 * 1024;
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _writing = new(1);
    private readonly CancellationTokenSource _over = new();
    private long _counter;
    private volatile bool _hasSaidGoodbye;

    protected ReplicaApp App => app;

    protected long Stream => stream;

    /// <summary>The connection is over.</summary>
    protected CancellationToken Over => _over.Token;

    /// <summary>Until the client leaves, or the replica has said that it goes.</summary>
    public async Task ServeAsync(CancellationToken stopping)
    {
        var buffer = new byte[4 * 1024];
        var message = new MemoryStream();
        using var going = stopping.Register(() => _ = GoAsync());
        try
        {
            while (true)
            {
                var read = await socket.ReceiveAsync(buffer.AsMemory(), _over.Token);
                if (read.MessageType == WebSocketMessageType.Close)
                    break;
                message.Write(buffer, 0, read.Count);
                if (message.Length > MaxMessage)
                    break;
                if (!read.EndOfMessage)
                    continue;

                // Who has said goodbye listens to nothing more (RFC 6455 section 1.4). Until it is said the library answers pings, which proves what came before them read.
                if (!_hasSaidGoodbye)
                    Take(message.GetBuffer().AsSpan(0, (int)message.Length));
                message.SetLength(0);
            }

            if (socket.State == WebSocketState.CloseReceived)
                await WriteAsync(() => socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _over.Token));
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // It was cut, or took too long to say goodbye.
        }
        finally
        {
            await _over.CancelAsync();
        }
    }

    public void Dispose()
    {
        _over.Dispose();
        _writing.Dispose();
    }

    /// <summary>A whole message; returns before the next is read.</summary>
    protected abstract void Take(ReadOnlySpan<byte> message);

    /// <summary>The text of an answer, from the stream's counter and the time it took, in microseconds.</summary>
    protected abstract string AnswerText(int connection, int sequence, long counter, long took);

    /// <summary>Writes the question down, and answers after a while.</summary>
    protected void Answer(int connection, int sequence)
    {
        var at = app.Journal.Read(connection, sequence);
        _ = AnswerAsync(connection, sequence, at);
    }

    protected async Task SayAsync(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        await WriteAsync(() => socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, _over.Token));
    }

    private async Task AnswerAsync(int connection, int sequence, long at)
    {
        try
        {
            await Task.Delay(app.NextDelay(), app.Time, _over.Token);
            long took = 0;
            await WriteAsync(() =>
            {
                took = app.Clock.Now - at;
                return socket.SendAsync(
                    Encoding.UTF8.GetBytes(AnswerText(connection, sequence, _counter++, took)), WebSocketMessageType.Text, endOfMessage: true, _over.Token);
            });
            app.Journal.Answered(connection, sequence, took);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The connection ended first; the journal lacks the answer.
        }
    }

    /// <summary>What an application says on SIGTERM.</summary>
    private async Task GoAsync()
    {
        try
        {
            await WriteAsync(() => socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, _over.Token));
            _hasSaidGoodbye = true;
            _over.CancelAfter(CloseTimeout);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // It has ended already.
        }
    }

    private async Task WriteAsync(Func<Task> write)
    {
        await _writing.WaitAsync(_over.Token);
        try
        {
            await write();
        }
        finally
        {
            _writing.Release();
        }
    }
}
