using System.Threading.Channels;

namespace Holdfast.Cli.Dev;

/// <summary>
/// Key presses of the terminal, or what a pipe brings: there each character is a key, and blanks and line ends are none. A thread of its own waits for
/// them, because only a pending read keeps the terminal from echoing; it is a background thread, since that read cannot be cancelled.
/// </summary>
internal static class KeyReader
{
    /// <summary>Ends with the input.</summary>
    public static ChannelReader<char> Start()
    {
        var keys = Channel.CreateBounded<char>(new BoundedChannelOptions(256) { FullMode = BoundedChannelFullMode.DropWrite });
        new Thread(() => Read(keys.Writer)) { IsBackground = true, Name = "keys" }.Start();
        return keys.Reader;
    }

    private static void Read(ChannelWriter<char> keys)
    {
        try
        {
            if (Console.IsInputRedirected)
                ReadAll(Console.In, keys);
            else
                ReadTerminal(keys);
        }
        catch (Exception e) when (e is InvalidOperationException or IOException or ObjectDisposedException)
        {
            // The terminal or the pipe is gone; a hang-up ends the session by itself.
        }

        keys.TryComplete();
    }

    private static void ReadAll(TextReader input, ChannelWriter<char> keys)
    {
        for (int key; (key = input.Read()) >= 0;)
        {
            if (!char.IsWhiteSpace((char)key))
                keys.TryWrite((char)key);
        }
    }

    private static void ReadTerminal(ChannelWriter<char> keys)
    {
        while (true)
            keys.TryWrite(Console.ReadKey(intercept: true).KeyChar);
    }
}
