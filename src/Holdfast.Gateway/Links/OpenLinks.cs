namespace Holdfast.Gateway.Links;

/// <summary>
/// The links of this process while their bytes move, so that a stop can wait for what is still to be flushed, and so that no peer keeps one for ever by taking nothing.
/// Thread-safe.
/// </summary>
internal sealed class OpenLinks : IDisposable
{
    private readonly Lock _gate = new();
    private readonly HashSet<FarEnd> _links = [];
    private readonly List<FarEnd> _stalled = [];
    private readonly TimeProvider _time;
    private readonly TimeSpan _longestPiece;
    private readonly ITimer _timer;

    /// <param name="longestPiece">
    /// How long a peer may take over one piece of <see cref="FarEnd.PieceSize"/> bytes. The loop ends a connection that takes nothing after its backend's pongTimeout, which the
    /// far end does not know; this is for what it cannot see: less than the pair of sockets holds, with pings switched off.
    /// </param>
    public OpenLinks(TimeProvider time, TimeSpan longestPiece)
    {
        (_time, _longestPiece) = (time, longestPiece);
        _timer = time.CreateTimer(static self => ((OpenLinks)self!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public int Count
    {
        get
        {
            lock (_gate)
                return _links.Count;
        }
    }

    public TimeProvider Time => _time;

    public long Now => _time.GetTimestamp();

    public void Add(FarEnd link)
    {
        lock (_gate)
        {
            if (_links.Add(link) && _links.Count == 1)
                LookEvery(TimeSpan.FromSeconds(Math.Clamp(_longestPiece.TotalSeconds / 8, 0.05, 5)));
        }
    }

    public void Remove(FarEnd link)
    {
        lock (_gate)
        {
            if (_links.Remove(link) && _links.Count == 0)
                LookEvery(Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose() => _timer.Dispose();

    private void LookEvery(TimeSpan interval) => _timer.Change(interval, interval);

    private void Look()
    {
        // A turn that takes longer than the interval meets the next one: one of them is enough.
        if (!Monitor.TryEnter(_stalled))
            return;
        try
        {
            lock (_gate)
                _stalled.AddRange(_links.Where(l => l.WritingSince is var since and not 0 && _time.GetElapsedTime(since) > _longestPiece));
            foreach (var link in _stalled)
                link.OnStalled();
            _stalled.Clear();
        }
        finally
        {
            Monitor.Exit(_stalled);
        }
    }
}
