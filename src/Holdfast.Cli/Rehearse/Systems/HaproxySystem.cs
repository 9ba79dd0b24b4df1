using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Holdfast.Cli.Dev;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>HAProxy, as its manuals say: slots of a server template that get address and state through the runtime API, without a reload.</summary>
internal sealed class HaproxySystem : PeerSystem
{
    /// <summary>More than the replicas that are ever there at once.</summary>
    private const int Slots = 3 * DevOptions.MaxReplicas;

    // A path of a socket has 107 bytes, which the run's own folder may not leave.
    private DirectoryInfo? _short;
    private readonly Dictionary<string, int> _slots = new(StringComparer.Ordinal);

    public HaproxySystem(SystemSetting setting)
        : base("haproxy", setting)
    {
    }

    private string RuntimeSocket => Path.Combine((_short ??= Directory.CreateTempSubdirectory("holdfast-")).FullName, "s");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _short?.Delete(recursive: true);
    }

    protected override IReadOnlyList<string> Prepare(PeerNews news)
    {
        var file = Path.Combine(Setting.Folder, "haproxy.cfg");
        File.WriteAllText(file, Template("rehearse.haproxy.cfg")
            .Replace("{{port}}", Port, StringComparison.Ordinal)
            .Replace("{{limit}}", Limit, StringComparison.Ordinal)
            .Replace("{{slots}}", Slots.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{{socket}}", RuntimeSocket, StringComparison.Ordinal));
        return ["-db", "-q", "-f", file];
    }

    protected override async Task ApplyAsync(PeerNews news)
    {
        foreach (var (endpoint, slot) in _slots.Where(s => !news.Listed.Contains(s.Key, StringComparer.Ordinal)).ToList())
        {
            await SetAsync(slot, "state maint");
            _slots.Remove(endpoint);
        }

        foreach (var endpoint in news.Listed)
        {
            if (!_slots.TryGetValue(endpoint, out var slot))
            {
                slot = Enumerable.Range(1, Slots).First(s => !_slots.ContainsValue(s));
                _slots.Add(endpoint, slot);
                var colon = endpoint.LastIndexOf(':');
                await SetAsync(slot, $"addr {endpoint[..colon]} port {endpoint[(colon + 1)..]}");
            }

            await SetAsync(slot, news.Serving.Contains(endpoint, StringComparer.Ordinal) ? "state ready" : "state drain");
        }

        await ConfirmAsync(news);
    }

    private Task<string> SetAsync(int slot, string what) =>
        AskAsync(string.Create(CultureInfo.InvariantCulture, $"set server {SystemSetting.Backend}/s{slot} {what}"));

    /// <summary>The answers to the commands are for people; the table of states is for programs (management manual 9.3, show servers state).</summary>
    private async Task ConfirmAsync(PeerNews news)
    {
        const int NameColumn = 3, AddressColumn = 4, AdminStateColumn = 6, PortColumn = 18;

        // Without 4: disabled in the configuration, which stays set whatever comes after.
        const int Maintenance = 1 | 2 | 32, Drain = 8 | 16;
        var rows = (await AskAsync($"show servers state {SystemSetting.Backend}")).Split('\n')
            .Select(l => l.Split(' ')).Where(c => c.Length > PortColumn && c[1] == SystemSetting.Backend).ToDictionary(c => c[NameColumn], StringComparer.Ordinal);
        foreach (var (endpoint, slot) in _slots)
        {
            var wanted = news.Serving.Contains(endpoint, StringComparer.Ordinal) ? 0 : Drain;
            if (!rows.TryGetValue(string.Create(CultureInfo.InvariantCulture, $"s{slot}"), out var row) || $"{row[AddressColumn]}:{row[PortColumn]}" != endpoint
                || !int.TryParse(row[AdminStateColumn], NumberStyles.None, CultureInfo.InvariantCulture, out var state)
                || (state & Maintenance) != 0 || (state & Drain) != 0 != (wanted != 0))
            {
                throw new RehearseException($"haproxy has not taken {endpoint} as slot s{slot}: {(row is null ? "no such server" : string.Join(' ', row))}");
            }
        }
    }

    private async Task<string> AskAsync(string command)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(RuntimeSocket), Stopping);
        await socket.SendAsync(Encoding.ASCII.GetBytes(command + "\n"), Stopping);
        using var answer = new StreamReader(new NetworkStream(socket), Encoding.ASCII);
        return await answer.ReadToEndAsync(Stopping);
    }
}
