using System.Globalization;
using System.Net;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;
using Holdfast.Testing.Manifests;

namespace Holdfast.Functional.Tests.Container;

/// <summary>
/// An image run as the plain manifest has it run: the manifest's arguments, user and mounts, process 1 of its own process namespace, every mount but
/// /proc read-only, no capability, no way to gain one. The network is the machine's, so that a test reaches it.
/// </summary>
internal sealed class ContainerProcess : IAsyncDisposable
{
    // $1: the root; $2: a folder of volumes, each at its own path; $3: these paths; the rest: variables, then the command. A mount of the root
    // upon itself can be made read-only. The devices are the ones that every container gets (the runtime specification's defaults).
    private const string Run = """
        root=$1 volumes=$2 paths=$3; shift 3
        mount --bind "$root" "$root"
        for path in $paths; do
          mount --bind "$volumes$path" "$root$path"
          mount -o remount,ro,bind "$root$path"
        done
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=755,nosuid,noexec dev "$root/dev"
        mknod -m 666 "$root/dev/null" c 1 3
        mknod -m 666 "$root/dev/zero" c 1 5
        mknod -m 666 "$root/dev/full" c 1 7
        mknod -m 666 "$root/dev/random" c 1 8
        mknod -m 666 "$root/dev/urandom" c 1 9
        mknod -m 666 "$root/dev/tty" c 5 0
        mount -o remount,ro "$root/dev"
        mount -o remount,ro,bind "$root"
        exec env -i "$@"
        """;

    private readonly string _volumes = Directory.CreateTempSubdirectory("holdfast-volumes-").FullName;
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(30) };

    private ChildProcess? _process;

    private ContainerProcess()
    {
    }

    public Lines Output { get; } = new();

    public IPEndPoint Address { get; private set; } = new(IPAddress.None, 0);

    public IPEndPoint Admin { get; private set; } = new(IPAddress.None, 0);

    public Task<int> Exited => _process!.Exited;

    /// <summary>The gateway's process as this machine numbers it.</summary>
    public int Id { get; private set; }

    /// <param name="configuration">The gateway's, in the ConfigMap's place.</param>
    /// <param name="token">The Secret's; null: nobody has made it.</param>
    /// <param name="tracer">Before the command that makes the namespaces.</param>
    public static async Task<ContainerProcess> StartAsync(Image image, string configuration, string? token, params string[] tracer)
    {
        var pod = Manifest.OfRepository("deploy/plain/gateway.yaml").Single(m => m.Kind == "Deployment").Find("spec", "template", "spec")!;
        var user = pod.Text("securityContext", "runAsUser") + ":" + pod.Text("securityContext", "runAsGroup");
        Assert.Equal(user, image.Configuration.User);
        var container = new ContainerProcess();
        try
        {
            var paths = pod.Items("containers", 0, "volumeMounts").ToDictionary(m => m.Text("name"), m => m.Text("mountPath"), StringComparer.Ordinal);
            foreach (var path in paths.Values)
            {
                Directory.CreateDirectory(image.Root + path);
                Directory.CreateDirectory(container._volumes + path);
            }

            await PublishAsync(container._volumes + paths["config"], "gateway.yaml", configuration, "0644", group: "0");
            if (token is not null)
            {
                var mode = pod.Items("volumes").Single(v => v.Text("name") == "admin-token").Text("secret", "defaultMode");
                await PublishAsync(container._volumes + paths["admin-token"], "token", token, mode, pod.Text("securityContext", "fsGroup"));
            }

            string[] command =
            [
                .. tracer, "unshare", "--mount", "--pid", "--fork", "/bin/sh", "-ec", Run, "sh", image.Root, container._volumes, string.Join(' ', paths.Values),
                .. image.Configuration.Environment.Select(v => $"{v.Key}={v.Value}"),
                "setpriv", "--no-new-privs", "chroot", "--userspec", user, image.Root,
                .. image.Configuration.Entrypoint.Split(' '), .. pod.Items("containers", 0, "args").Select(a => a.ToString()),
            ];
            container._process = ChildProcess.Start(
                new ChildSpec(command[0], command[1..], new Dictionary<string, string>(StringComparer.Ordinal)), container.Output.Add, TimeProvider.System);
            var output = container.Output;
            await Processes.UntilAsync(
                () => container.Exited.IsCompleted || output.All.Any(l => l.Contains("connections fit", StringComparison.Ordinal)), "the gateway listened");
            Assert.False(container.Exited.IsCompleted, "the gateway ended: " + string.Join('\n', output.All));
            container.Address = IPEndPoint.Parse(output.All.First(l => l.Contains("Listening on web", StringComparison.Ordinal)).Split('(', ')')[1]);
            var admin = IPEndPoint.Parse(output.All.First(l => l.Contains("Admin API on", StringComparison.Ordinal)).Split(' ')[^1]);
            container.Admin = new IPEndPoint(IPAddress.Loopback, admin.Port);
            container.Id = Leaf(container._process.Id);
            return container;
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }
    }

    public RawPeer Connect() => RawPeer.Connect(Address);

    public async Task<int> GetAsync(string path, string? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"http://{Admin}{path}"));
        if (token is not null)
            request.Headers.Authorization = new("Bearer", token);
        using var answer = await _http.SendAsync(request);
        return (int)answer.StatusCode;
    }

    /// <summary>A line of the process's status, for example <c>Uid</c>.</summary>
    public string Status(string name) => File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{Id}/status"))
        .Single(l => l.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..].Trim();

    /// <summary>Where the process could write, by its mounts.</summary>
    public IReadOnlyList<string> WritableMounts() =>
    [
        .. File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{Id}/mountinfo")).Select(l => l.Split(' '))
            .Where(f => !f[5].Split(',').Contains("ro", StringComparer.Ordinal)).Select(f => f[4]),
    ];

    public void Terminate() => GatewayProcess.Send(Id, "TERM");

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
        _http.Dispose();
        Directory.Delete(_volumes, recursive: true);
    }

    /// <summary>A file of a volume as the kubelet makes it: a link to a link that is swapped when the content changes.</summary>
    private static Task PublishAsync(string volume, string name, string content, string mode, string group) => ShellCommand.RunAsync(
        """
        cd "$1"
        mkdir ..1
        printf %s "$3" > "..1/$2"
        chmod "$4" "..1/$2"
        chgrp "$5" "..1/$2"
        ln -s ..1 ..data
        ln -s "..data/$2" "$2"
        """,
        [volume, name, content, mode, group]);

    /// <summary>The last of a line of only children: each of the commands before the gateway has become, or started, the next.</summary>
    private static int Leaf(int process)
    {
        while (true)
        {
            var children = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/task/{process}/children"));
            if (children.Length == 0)
                return process;
            process = int.Parse(children, NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture);
        }
    }
}
