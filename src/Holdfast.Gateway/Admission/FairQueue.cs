namespace Holdfast.Gateway.Admission;

/// <summary>
/// Waiting handshakes, a line for each key, served in turn (round robin, as Nagle's fair queueing: RFC 970). When it is full, a key with few waiting takes the place of the
/// one with the most, so that nobody can fill it alone. Every operation takes constant time. Not thread-safe.
/// </summary>
internal sealed class FairQueue
{
    private readonly Dictionary<UInt128, Flow> _flows = [];

    /// <summary>By length: the flows that have it. So the longest is found without a search.</summary>
    private readonly List<LinkedList<Flow>> _byLength = [new()];

    /// <summary>In the order of their turns.</summary>
    private readonly LinkedList<Flow> _turns = new();

    public int Count { get; private set; }

    /// <summary>Keys that wait.</summary>
    public int Flows => _flows.Count;

    /// <summary>A new key has its turn after all others.</summary>
    public void Add(QueuePlace place, UInt128 key)
    {
        if (!_flows.TryGetValue(key, out var flow))
        {
            _flows.Add(key, flow = new Flow(key));
            _turns.AddLast(flow.Turn);
            _byLength[0].AddLast(flow.Length);
        }

        flow.Places.AddLast(place.Node);
        place.Flow = flow;
        Count++;
        Measure(flow, flow.Places.Count - 1);
    }

    /// <summary>The oldest of the key whose turn it is; null: nobody waits.</summary>
    public QueuePlace? Next => _turns.First?.Value.Places.First!.Value;

    /// <summary>Takes <see cref="Next"/>; its key's next turn comes after all others.</summary>
    public QueuePlace Take()
    {
        var flow = _turns.First!.Value;
        var place = flow.Places.First!.Value;
        _turns.RemoveFirst();
        _turns.AddLast(flow.Turn);
        Remove(place);
        return place;
    }

    public void Remove(QueuePlace place)
    {
        var flow = place.Flow!;
        flow.Places.Remove(place.Node);
        place.Flow = null;
        Count--;
        Measure(flow, flow.Places.Count + 1);
        if (flow.Places.Count > 0)
            return;
        _flows.Remove(flow.Key);
        _turns.Remove(flow.Turn);
        _byLength[0].Remove(flow.Length);
    }

    /// <summary>Makes room for one of this key: takes out the newest of the longest line, if that is longer than the key's would become. Null: it is not.</summary>
    public QueuePlace? Evict(UInt128 key)
    {
        var own = _flows.TryGetValue(key, out var flow) ? flow.Places.Count : 0;
        if (_byLength.Count - 1 <= own + 1)
            return null;
        var evicted = _byLength[^1].First!.Value.Places.Last!.Value;
        Remove(evicted);
        return evicted;
    }

    /// <summary>Puts a flow among those of its new length, which differs by one from the old; the last list is never empty but for the first.</summary>
    private void Measure(Flow flow, int before)
    {
        var length = flow.Places.Count;
        _byLength[before].Remove(flow.Length);
        if (length == _byLength.Count)
            _byLength.Add(new LinkedList<Flow>());
        _byLength[length].AddLast(flow.Length);
        while (_byLength.Count > 1 && _byLength[^1].Count == 0)
            _byLength.RemoveAt(_byLength.Count - 1);
    }

    /// <summary>One key's line.</summary>
    internal sealed class Flow
    {
        public Flow(UInt128 key)
        {
            Key = key;
            Turn = new LinkedListNode<Flow>(this);
            Length = new LinkedListNode<Flow>(this);
        }

        public UInt128 Key { get; }

        public LinkedList<QueuePlace> Places { get; } = new();

        public LinkedListNode<Flow> Turn { get; }

        public LinkedListNode<Flow> Length { get; }
    }
}
