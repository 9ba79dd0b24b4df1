namespace Holdfast.Cli.Dev;

/// <summary>The last lines of a child's output, to be shown when it ends unexpectedly. Any thread.</summary>
internal sealed class OutputTail
{
    private const int Capacity = 12;
    private readonly Lock _lock = new();
    private readonly Queue<string> _lines = new(Capacity + 1);

    public IReadOnlyList<string> Lines
    {
        get { lock (_lock) return [.. _lines]; }
    }

    public void Add(string line)
    {
        lock (_lock)
        {
            _lines.Enqueue(line);
            if (_lines.Count > Capacity)
                _lines.Dequeue();
        }
    }
}
