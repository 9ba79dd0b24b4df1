using System.Threading.Channels;

namespace Holdfast.Cli.Dev;

/// <summary>
/// Key presses of the terminal. A thread of its own waits in the console, because only a pending read keeps the terminal from echoing; it is a
/// background thread, since that read cannot be cancelled.
/// </summary>
internal sealed class KeyReader
{
    private readonly Channel<char> _keys = Channel.CreateBounded<char>(new BoundedChannelOptions(16) { FullMode = BoundedChannelFullMode.DropWrite });

    private KeyReader()
    {
    }

    /// <summary>Null when standard input is no terminal.</summary>
    public static KeyReader? StartIfTerminal()
    {
        if (Console.IsInputRedirected)
            return null;
        var reader = new KeyReader();
        new Thread(reader.Read) { IsBackground = true, Name = "keys" }.Start();
        return reader;
    }

    public IAsyncEnumerable<char> ReadAllAsync(CancellationToken stop) => _keys.Reader.ReadAllAsync(stop);

    private void Read()
    {
        try
        {
            while (true)
                _keys.Writer.TryWrite(Console.ReadKey(intercept: true).KeyChar);
        }
        catch (Exception e) when (e is InvalidOperationException or IOException)
        {
            // The terminal is gone; a hang-up ends the session by itself.
        }
    }
}
