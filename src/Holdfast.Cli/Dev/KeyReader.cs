using System.Threading.Channels;

namespace Holdfast.Cli.Dev;

/// <summary>
/// Key presses of the terminal. A thread of its own waits in the console, because only a pending read keeps the terminal from echoing; it is a
/// background thread, since that read cannot be cancelled.
/// </summary>
internal static class KeyReader
{

    /// <summary>Null when standard input is no terminal.</summary>
    public static ChannelReader<char>? StartIfTerminal()
    {
        if (Console.IsInputRedirected)
            return null;
        var keys = Channel.CreateBounded<char>(new BoundedChannelOptions(16) { FullMode = BoundedChannelFullMode.DropWrite });
        new Thread(() => Read(keys.Writer)) { IsBackground = true, Name = "keys" }.Start();
        return keys.Reader;
    }

    private static void Read(ChannelWriter<char> keys)
    {
        try
        {
            while (true)
                keys.TryWrite(Console.ReadKey(intercept: true).KeyChar);
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            // The terminal is gone; a hang-up ends the session by itself.
        }
    }
}
