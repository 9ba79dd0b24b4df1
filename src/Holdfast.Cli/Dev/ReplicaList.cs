namespace Holdfast.Cli.Dev;

/// <summary>The replicas there are, and the names of those that were. One writer; any thread reads.</summary>
internal sealed class ReplicaList
{
    /// <summary>More than the ends that a screen shows.</summary>
    private const int Remembered = 200;

    private volatile Replica[] _all = [];
    private volatile Replica[] _gone = [];
    private volatile Replica? _drained;

    /// <summary>All that have not gone, in the order of their starts.</summary>
    public IReadOnlyList<Replica> All => _all;

    /// <summary>The one that the user has drained. A replica that ends is the user's no more.</summary>
    public Replica? Drained
    {
        get => _drained is { IsTerminating: false } drained ? drained : null;
        set => _drained = value;
    }

    /// <summary>The name of the replica at an endpoint's address, gone ones included; null when there was none.</summary>
    public string? NameOf(string? address) => (_all.FirstOrDefault(r => r.Address == address) ?? _gone.FirstOrDefault(r => r.Address == address))?.Name;

    public void Add(Replica replica) => _all = [.. _all, replica];

    public void Remove(Replica replica)
    {
        _all = [.. _all.Where(r => r != replica)];
        _gone = [replica, .. _gone.Take(Remembered - 1)];
    }
}
