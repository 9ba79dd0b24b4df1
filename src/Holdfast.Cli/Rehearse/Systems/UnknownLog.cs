using System.Globalization;
using System.Text.Json;
using Holdfast.Cli.Rehearse.Clients;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>Adds up what the gateway's access log calls unknown, for each of our connections. <see cref="Take"/> is called by one thread at a time.</summary>
internal sealed class UnknownLog
{
    private readonly Lock _lock = new();
    private readonly Dictionary<int, long> _unknown = [];
    private readonly Dictionary<int, int> _ends = [];
    private bool _isTold;

    /// <summary>Null: no line had such a count.</summary>
    public IReadOnlyDictionary<int, long>? Unknown
    {
        get
        {
            lock (_lock)
                return _isTold ? new Dictionary<int, long>(_unknown) : null;
        }
    }

    /// <summary>The lines of so many ends of each of these connections have come; those of others say nothing of them.</summary>
    public bool Has(IReadOnlyDictionary<int, int> ends)
    {
        lock (_lock)
            return ends.All(e => _ends.GetValueOrDefault(e.Key) >= e.Value);
    }

    /// <summary>A line of the gateway's output, whatever it holds.</summary>
    public void Take(string line)
    {
        if (!line.StartsWith('{'))
            return;
        try
        {
            using var document = JsonDocument.Parse(line);
            var end = document.RootElement;
            if (end.GetProperty("event").GetString() != "connection" || NumberOf(end.GetProperty("path").GetString()) is not { } connection)
                return;
            lock (_lock)
            {
                _ends[connection] = _ends.GetValueOrDefault(connection) + 1;
                if (!end.TryGetProperty("unknown", out var unknown))
                    return;
                _isTold = true;
                _unknown[connection] = _unknown.GetValueOrDefault(connection) + unknown.GetInt64();
            }
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            // Something else that begins like it.
        }
    }

    private static int? NumberOf(string? path) =>
        path?.StartsWith(ClientConnection.PathPrefix, StringComparison.Ordinal) == true
        && int.TryParse(path.AsSpan(ClientConnection.PathPrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;
}
