using System.ComponentModel;
using System.Globalization;
using System.Net;
using Holdfast.Cli.Dev;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>
/// Another proxy in the gateway's place, told the same news at the same time, by its own means. Those run on a task of their own; news that come meanwhile
/// are told at once afterwards, the last ones only.
/// </summary>
internal abstract class PeerSystem : IFrontSystem, IEndpointNews
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly Wake _wake = new();
    private readonly OutputTail _tail = new();
    private readonly CancellationTokenSource _stop = new();
    private volatile PeerNews _news = new([], []);
    private volatile string? _failure;
    private ChildProcess? _process;
    private Task _running = Task.CompletedTask;

    /// <param name="name">Of the program, and of its Debian package.</param>
    /// <param name="setting">What it is started with.</param>
    /// <exception cref="RehearseException">It is not installed.</exception>
    protected PeerSystem(string name, SystemSetting setting)
    {
        (Name, Setting) = (name, setting);
        Program = setting.FindTool(name) ?? throw new RehearseException($"{name} is not installed (Debian package {name})");
        Address = new IPEndPoint(IPAddress.Loopback, FreePorts.Pick(1, setting.Random)[0]);
    }

    public string Name { get; }

    public IPEndPoint Address { get; }

    public IEndpointNews News => this;

    public string? Failure => _failure;

    public IReadOnlyList<string> Listed => _news.Listed;

    protected SystemSetting Setting { get; }

    protected string Program { get; }

    protected string Port => Address.Port.ToString(CultureInfo.InvariantCulture);

    /// <summary>Enough for all connections, with those of clients that come back before their old one is gone.</summary>
    protected string Limit => (4 * Setting.Connections + 1024).ToString(CultureInfo.InvariantCulture);

    protected CancellationToken Stopping => _stop.Token;

    public void Tell(IReadOnlyList<string> listed, IReadOnlyList<string> draining)
    {
        _news = new PeerNews(listed, draining);
        _wake.Set();
    }

    public async Task StartAsync(CancellationToken cancel)
    {
        var first = _news;
        try
        {
            _process = ChildProcess.Start(
                new ChildSpec(Program, Prepare(first), new Dictionary<string, string>(StringComparer.Ordinal)), _tail.Add, Setting.Time);
        }
        catch (Win32Exception e)
        {
            throw new RehearseException($"{Name} cannot be started: {e.Message}");
        }

        var began = Setting.Time.GetTimestamp();
        while (!await new PortReadiness(Address.Port).IsReadyAsync(cancel))
        {
            if (_process.Exited.IsCompleted || Setting.Time.GetElapsedTime(began) > StartLimit)
                throw new RehearseException(string.Join('\n', (string[])[$"{Name} does not listen", .. _tail.Lines]));
            await Task.Delay(Poll, Setting.Time, cancel);
        }

        await ApplyAsync(first);
        _running = ApplyAllAsync(first, _process);
    }

    public Task<IReadOnlyDictionary<int, long>?> UnknownAsync(IReadOnlyDictionary<int, int> ends, CancellationToken cancel) =>
        Task.FromResult<IReadOnlyDictionary<int, long>?>(null);

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await _stop.CancelAsync();
        await _running;
        if (_process is { } process)
        {
            process.Terminate();
            await ((Task)process.Exited).WaitAsync(EndTimes.Quick.Grace, Setting.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await process.DisposeAsync();
        }

        _stop.Dispose();
    }

    /// <summary>A file of bench/peers, as it was when the tool was built.</summary>
    internal static string Template(string name)
    {
        using var stream = typeof(PeerSystem).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is built in.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }

    /// <summary>Writes its configuration; the arguments to start with.</summary>
    protected abstract IReadOnlyList<string> Prepare(PeerNews news);

    /// <summary>Has the running program take the news.</summary>
    /// <exception cref="RehearseException">It does not.</exception>
    protected abstract Task ApplyAsync(PeerNews news);

    private async Task ApplyAllAsync(PeerNews applied, ChildProcess process)
    {
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                if (process.Exited.IsCompleted)
                    throw new RehearseException(string.Join('\n', (string[])[$"{Name} has ended", .. _tail.Lines]));
                var news = _news;
                if (!news.Equals(applied))
                    await ApplyAsync(news);
                applied = news;
                await _wake.WaitAsync(TimeSpan.FromSeconds(1), Setting.Time, _stop.Token);
            }
        }
        catch (Exception e) when (e is RehearseException or IOException or Win32Exception or System.Net.Sockets.SocketException)
        {
            _failure = e.Message;
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Stopped in the middle of it.
        }
    }
}

/// <summary>The endpoints there are, and those of them that are leaving.</summary>
internal sealed record PeerNews(IReadOnlyList<string> Listed, IReadOnlyList<string> Draining)
{
    /// <summary>Those for new connections; all when all are leaving.</summary>
    public IReadOnlyList<string> Serving =>
        Listed.Except(Draining, StringComparer.Ordinal).ToList() is { Count: > 0 } staying ? staying : Listed;

    public bool Equals(PeerNews? other) =>
        other is not null && Listed.SequenceEqual(other.Listed, StringComparer.Ordinal) && Draining.SequenceEqual(other.Draining, StringComparer.Ordinal);

    public override int GetHashCode() => HashCode.Combine(Listed.Count, Draining.Count);
}
