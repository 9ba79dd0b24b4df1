using System.Collections.Concurrent;
using System.Globalization;
using System.Net.WebSockets;
using System.Text.RegularExpressions;
using Holdfast.Functional.Tests.Showcase;

namespace Holdfast.Functional.Tests.Dev;

/// <summary>
/// A person who chats without end: says something, waits until it is seen, says the next; comes back after a close when the reason asks for it, and then
/// says again what was not seen. A refused connection fails the test.
/// </summary>
internal sealed partial class Chatter(int port, string name)
{
    private readonly ConcurrentQueue<(int Code, string Reason)> _closes = new();
    private int _seen;

    /// <summary>Code and reason of each; 0 without a Close frame.</summary>
    public IReadOnlyList<(int Code, string Reason)> Closes => [.. _closes];

    /// <summary>Messages said and seen, each in its turn.</summary>
    public int Seen => Volatile.Read(ref _seen);

    /// <summary>Which replica served the last connection.</summary>
    public string? Replica { get; private set; }

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            using var person = new ChatPerson(new ClientWebSocket());
            await person.Socket.ConnectAsync(new Uri(string.Create(CultureInfo.InvariantCulture, $"ws://127.0.0.1:{port}/ws/chat?room={name}&name={name}")), CancellationToken.None);
            try
            {
                Replica = (string?)(await person.NextAsync("welcome"))["replica"];
                while (!stop.IsCancellationRequested)
                {
                    await SayAsync(person);
                    await Task.Delay(TimeSpan.FromMilliseconds(20), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }

                return;
            }
            catch (Exception e) when (e is InvalidOperationException or WebSocketException)
            {
                _closes.Enqueue(((int?)person.Socket.CloseStatus ?? 0, person.Socket.CloseStatusDescription ?? ""));
            }

            await Task.Delay(Wait(_closes.Last().Reason), stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SayAsync(ChatPerson person)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{name} {_seen}");
        await person.SayAsync(text);
        while ((string?)(await person.NextAsync("message"))["text"] != text)
        {
        }

        Interlocked.Increment(ref _seen);
    }

    private static TimeSpan Wait(string reason) =>
        TimeSpan.FromMilliseconds(Hint().Match(reason) is { Success: true } hint ? int.Parse(hint.Groups[1].Value, CultureInfo.InvariantCulture) : 50);

    [GeneratedRegex("^retry-after=([0-9]{1,5})$")]
    private static partial Regex Hint();
}
