using System.Threading.Channels;

namespace Holdfast.Cli.Dev;

/// <summary>Wakes the one that waits; any number of calls before it does so count as one. Any thread.</summary>
internal sealed class Wake
{
    private readonly Channel<bool> _calls = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Set() => _calls.Writer.TryWrite(true);

    /// <summary>Returns when set since the last return, or when stopped.</summary>
    public async Task WaitAsync(CancellationToken stop)
    {
        try
        {
            _ = await _calls.Reader.ReadAsync(stop);
        }
        catch (OperationCanceledException)
        {
            // The caller looks at its token.
        }
    }

    /// <summary>Also returns when the time is over.</summary>
    public async Task WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken stop)
    {
        using var over = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, over.Token);
        await WaitAsync(either.Token);
    }
}
