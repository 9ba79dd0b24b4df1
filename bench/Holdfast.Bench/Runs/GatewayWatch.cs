using System.Globalization;
using System.Text.Json;
using Holdfast.Bench.Peers;
using Holdfast.Bench.Proc;

namespace Holdfast.Bench.Runs;

/// <summary>A look at a system from outside.</summary>
/// <param name="Resident">Bytes, of all its processes.</param>
/// <param name="PrivateDirty">Bytes, of all its processes.</param>
/// <param name="Descriptors">Open ones, of all its processes.</param>
/// <param name="Connections">Relayed, by Holdfast's own account; -1: unknown, as is what follows.</param>
/// <param name="Queue">Handshakes that wait.</param>
/// <param name="ManagedHeap">Bytes, garbage included.</param>
internal sealed record Look(long Resident, long PrivateDirty, int Descriptors, long Connections, long Queue, long ManagedHeap)
{
    public double ResidentMb => Math.Round(Resident / 1e6, 1);

    public double PrivateDirtyMb => Math.Round(PrivateDirty / 1e6, 1);

    public double ManagedHeapMb => Math.Round(ManagedHeap / 1e6, 1);
}

/// <summary>Memory, descriptors and metrics of a running system.</summary>
/// <param name="others">Processes of the bench beside the system and this one, whose CPU time is not a stranger's.</param>
internal sealed class GatewayWatch(Peer peer, IReadOnlyList<int> others) : IDisposable
{
    private readonly HttpClient _admin = new();
    private readonly List<int> _tree = ProcessTree.Of(peer.ProcessId);

    public int ProcessId => peer.ProcessId;

    public IReadOnlyList<int> Others => others;

    /// <summary>Resident bytes, cheap enough to be asked for twice a second.</summary>
    public long Resident => _tree.Sum(Memory.ResidentOf);

    public async Task<Look> LookAsync()
    {
        var memory = Memory.Of(peer.ProcessId);
        var descriptors = ProcessTree.Of(peer.ProcessId).Sum(pid => Directory.GetFileSystemEntries($"/proc/{pid}/fd").Length);
        if (!peer.IsHoldfast)
            return new Look(memory.Resident, memory.PrivateDirty, descriptors, -1, -1, -1);
        var metrics = (await _admin.GetStringAsync(new Uri($"http://127.0.0.1:{peer.AdminPort}/metrics"))).Split('\n');
        return new Look(memory.Resident, memory.PrivateDirty, descriptors, Sum(metrics, "holdfast_connections{"), Sum(metrics, "holdfast_handshake_queue{"),
            Sum(metrics, "holdfast_managed_heap_bytes "));
    }

    /// <summary>Of Holdfast's loops since last asked, in milliseconds; -1: unknown.</summary>
    public async Task<long> TakeLongestTurnAsync()
    {
        if (!peer.IsHoldfast)
            return -1;
        using var health = JsonDocument.Parse(await _admin.GetStringAsync(new Uri($"http://127.0.0.1:{peer.AdminPort}/health")));
        return health.RootElement.GetProperty("loops").EnumerateArray().Max(loop => loop.GetProperty("longestTurnMs").GetInt64());
    }

    public void Dispose() => _admin.Dispose();

    /// <summary>-1: there is no such metric.</summary>
    private static long Sum(string[] metrics, string start)
    {
        var lines = metrics.Where(line => line.StartsWith(start, StringComparison.Ordinal)).ToArray();
        return lines.Length == 0 ? -1 : (long)lines.Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }
}
