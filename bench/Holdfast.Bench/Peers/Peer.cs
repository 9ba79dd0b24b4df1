using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Holdfast.Bench.Peers;

/// <summary>One running system between load and backend, alone on its core; "direct" is none. Disposing ends it.</summary>
internal sealed class Peer : IAsyncDisposable
{
    public const string Nginx = "nginx", Haproxy = "haproxy", Holdfast = "holdfast", Direct = "direct";

    /// <summary>Holdfast, its connections held: frames passed on when whole; messages unmasked and looked at as well.</summary>
    public const string HeldOpaque = "holdfast-opaque", HeldJson = "holdfast-json";

    /// <summary>The peers with what they have to slow handshakes down: nginx' limit_req, HAProxy's rate-limit sessions.</summary>
    public const string NginxPaced = "nginx-limit_req", HaproxyPaced = "haproxy-rate-limit";

    private static readonly ConcurrentDictionary<Process, string> Running = new();
    private readonly Process? _process;
    private readonly string? _prefix;

    private Peer(string name, int port, int admin, Process? process, string? prefix)
    {
        Name = name;
        Port = LoadPort = port;
        AdminPort = admin;
        _process = process;
        _prefix = prefix;
    }

    private string? _configuration;
    private string? _template;
    private Process? _tlsClient;

    public string Name { get; }

    public int Port { get; }

    /// <summary>Holdfast's; 0 for others.</summary>
    public int AdminPort { get; }

    /// <summary>Where the load dials: <see cref="Port"/>, or a client that speaks TLS for it.</summary>
    public int LoadPort { get; private set; }

    /// <summary>Of the TLS listener that the templates for pages and TLS have; 0 for others.</summary>
    public int TlsPort { get; private init; }

    public Uri Url => new($"ws://127.0.0.1:{Port}/echo");

    public bool IsHoldfast => Name is Holdfast or HeldOpaque or HeldJson;

    /// <summary>0 for "direct".</summary>
    public int ProcessId => _process?.Id ?? 0;

    /// <param name="change">For a bench that changes the configuration: fills what the templates of that kind leave open.</param>
    /// <param name="handshakes">For a bench with crowds: how the system bounds handshakes, in its own words; null: the common templates.</param>
    /// <param name="pages">For a bench of pages or TLS: the endpoints of <c>/bytes</c>; null: the common templates.</param>
    public static async Task<Peer> StartAsync(
        string name, IReadOnlyList<string> endpoints, ConfigurationChange? change = null, string? handshakes = null, IReadOnlyList<string>? pages = null)
    {
        if (name == Direct)
            return new Peer(name, int.Parse(endpoints[0].Split(':')[1], System.Globalization.CultureInfo.InvariantCulture), 0, null, null);

        var prefix = Directory.CreateTempSubdirectory("holdfast-bench-").FullName;
        var (port, admin, tls) = (FreePort(), FreePort(), FreePort());
        var configuration = Path.Combine(prefix, PeerConfiguration.FileNameOf(name));
        var template = PeerConfiguration.Render(name, port, admin, prefix, change is not null ? ConfigurationChange.Kind : handshakes is not null ? PeerConfiguration.Crowd : pages is not null ? PeerConfiguration.Http : "")
            .Replace("{{handshakes}}", handshakes, StringComparison.Ordinal);
        if (pages is not null)
        {
            template = template.Replace("{{pages}}", PeerConfiguration.ListOf(name, pages), StringComparison.Ordinal).Replace("{{tls}}", Text(tls), StringComparison.Ordinal);
            await BenchCertificate.WriteAsync(prefix);
        }

        await File.WriteAllTextAsync(configuration, change?.Fill(name, template)
            ?? template.Replace("{{endpoints}}", PeerConfiguration.ListOf(name, endpoints), StringComparison.Ordinal));
        var command = PeerConfiguration.CommandOf(name, prefix, configuration, reloads: change is not null);

        // Through a shell only for the redirections; exec keeps the process id. Holdfast writes its access log to the file.
        // Where tails are compared, no other program of the machine comes before the system; its own threads then do not even share their core by slices.
        var start = Pinning.Taskset(Pinning.ProxyCore, "sh",
            ["-c", (handshakes is null ? "" : "chrt --fifo --pid 10 $$ && ") + "exec \"$@\" >\"$0\" 2>&1", Path.Combine(prefix, "output"), .. command]);
        start.Environment.Remove("HOLDFAST_BENCH_PINNED");
        var process = Process.Start(start)!;
        Running[process] = prefix;
        var peer = new Peer(name, port, admin, process, prefix) { _configuration = configuration, _template = template, TlsPort = pages is null ? 0 : tls };
        await peer.WaitUntilListeningAsync();
        return peer;
    }

    /// <summary>From now on the load's connections reach the system by TLS: another program, on the load's core, speaks it for them.</summary>
    public async Task UseTlsAsync()
    {
        LoadPort = FreePort();
        var file = Path.Combine(_prefix!, "tls-client.cfg");
        var template = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "bench", "peers", "tls-client.haproxy.cfg"));
        await File.WriteAllTextAsync(file, template.Replace("{{port}}", Text(LoadPort), StringComparison.Ordinal).Replace("{{tls}}", Text(TlsPort), StringComparison.Ordinal));
        _tlsClient = Process.Start(Pinning.Taskset(Pinning.LoadCore, "haproxy", ["-db", "-q", "-f", file]))!;
        Running[_tlsClient] = "";
        if (!await IsListeningAsync(_tlsClient, LoadPort))
            throw new BenchException("The TLS client (haproxy) does not listen");
    }

    /// <summary>Holdfast's: adds or removes a route of no traffic and has the whole configuration applied.</summary>
    public async Task SwapRoutesAsync(int count)
    {
        var text = await File.ReadAllTextAsync(_configuration!);
        var at = text.IndexOf("routes:\n", StringComparison.Ordinal) + "routes:\n".Length;
        var end = text.IndexOf("  - path: {prefix: /}", StringComparison.Ordinal);
        var routes = string.Concat(Enumerable.Range(0, count).Select(i => $"  - {{path: {{prefix: /unused/{i}}}, backend: echo}}\n"));
        await File.WriteAllTextAsync(_configuration!, text[..at] + routes + text[end..]);
        using var kill = Process.Start("kill", ["-HUP", ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    /// <summary>
    /// Changes the configuration file, renamed into place, and has it take effect as the system's manual says: Holdfast watches it.
    /// </summary>
    public async Task ChangeAsync(ConfigurationChange change)
    {
        await File.WriteAllTextAsync(_configuration + "~", change.Fill(Name, _template!));
        File.Move(_configuration + "~", _configuration!, overwrite: true);
        // On the proxy's core, where reading the configuration belongs.
        var id = ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var start = Name switch
        {
            Nginx => Pinning.Taskset(Pinning.ProxyCore, "sh", ["-c", "exec \"$@\" 2>/dev/null", "sh", "nginx", "-p", _prefix!, "-c", _configuration!, "-s", "reload"]),
            Haproxy => Pinning.Taskset(Pinning.ProxyCore, "kill", ["-USR2", id]),
            _ => null,
        };
        if (start is null)
            return;
        using var reload = Process.Start(start)!;
        await reload.WaitForExitAsync();
        if (reload.ExitCode != 0)
            throw new BenchException($"{Name}: the reload failed");
    }

    /// <summary>Ends all that run, with no word; for an interrupted bench.</summary>
    public static void KillAll()
    {
        foreach (var (process, prefix) in Running)
        {
            process.Kill(entireProcessTree: true);
            if (prefix.Length > 0)
                Directory.Delete(prefix, recursive: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in new[] { _tlsClient, _process }.OfType<Process>())
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            Running.TryRemove(process, out _);
            process.Dispose();
        }

        if (_prefix is not null)
            Directory.Delete(_prefix, recursive: true);
    }

    private static string Text(int port) => port.ToString(System.Globalization.CultureInfo.InvariantCulture);

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static async Task<bool> IsListeningAsync(Process process, int port)
    {
        for (var attempt = 0; attempt < 200 && !process.HasExited; attempt++)
        {
            try
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(IPAddress.Loopback, port);
                return true;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
        }

        return false;
    }

    private async Task WaitUntilListeningAsync()
    {
        if (await IsListeningAsync(_process!, Port))
            return;
        var output = await File.ReadAllTextAsync(Path.Combine(_prefix!, "output"));
        await DisposeAsync();
        throw new BenchException($"{Name} does not listen. It says:\n{output}");
    }
}
