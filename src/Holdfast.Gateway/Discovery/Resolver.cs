using System.Net;
using Holdfast.Wire.Dns;

namespace Holdfast.Gateway.Discovery;

/// <summary>Where names are looked up; the system's own files unless a test says otherwise.</summary>
internal sealed record ResolverSources
{
    public string ResolvConf { get; init; } = "/etc/resolv.conf";

    public string Hosts { get; init; } = "/etc/hosts";

    /// <summary>Instead of the file's name servers, which have no ports; null: those.</summary>
    public IReadOnlyList<IPEndPoint>? Servers { get; init; }
}

/// <summary>
/// The gateway's own resolver: hosts file, search domains, A and AAAA asked at once, every server and attempt that resolv.conf allows.
/// Caches nothing: the name servers do. Thread-safe.
/// </summary>
internal sealed class Resolver : INameResolver, IDisposable
{
    /// <summary>Look-ups at once: each takes two descriptors, of those that connections leave alone.</summary>
    private const int MostAtOnce = 16;

    /// <summary>Of a whole look-up. A long search list with slow servers could otherwise take an hour.</summary>
    private static readonly TimeSpan LongestLookup = TimeSpan.FromSeconds(60);

    private readonly SystemFile<ResolvConf> _conf;
    private readonly SystemFile<HostsFile> _hosts;
    private readonly IReadOnlyList<IPEndPoint>? _servers;
    private readonly TimeProvider _time;
    private readonly NameServerClient _client;
    private readonly SemaphoreSlim _slots = new(MostAtOnce);
    private volatile int _preferred;

    public Resolver(ResolverSources sources, TimeProvider time)
    {
        _conf = new SystemFile<ResolvConf>(sources.ResolvConf, static text => Discovery.ResolvConf.Parse(text, Dns.GetHostName()), time);
        _hosts = new SystemFile<HostsFile>(sources.Hosts, static text => new HostsFile(text), time);
        _servers = sources.Servers;
        _time = time;
        _client = new NameServerClient(time);
    }

    public async Task<NameAnswer> LookUpAsync(string name, string? found, CancellationToken cancel)
    {
        if (_hosts.Current.Find(name) is { } listed)
            return listed;
        var conf = _servers is null ? _conf.Current : _conf.Current with { Servers = _servers };
        await _slots.WaitAsync(cancel).ConfigureAwait(false);
        try
        {
            return await SearchAsync(name, conf, found, cancel).ConfigureAwait(false);
        }
        finally
        {
            _slots.Release();
        }
    }

    public void Dispose() => _slots.Dispose();

    /// <summary>
    /// Asks for one full name after the other until one has addresses. As with glibc a searched name that neither is nor is not there (but
    /// for SERVFAIL) ends the search, and the name as it was given is still asked.
    /// </summary>
    private async Task<NameAnswer> SearchAsync(string name, ResolvConf conf, string? found, CancellationToken cancel)
    {
        var start = _time.GetTimestamp();
        NameAnswer? told = null;
        var isHopeless = false;
        foreach (var (full, isSearched) in SearchList.Of(name, conf, found))
        {
            if (isHopeless && isSearched)
                continue;
            var answers = await Task.WhenAll(AskAsync(conf, full, DnsRecordType.A, start, cancel), AskAsync(conf, full, DnsRecordType.Aaaa, start, cancel)).ConfigureAwait(false);
            var answer = new NameAnswer(full.ToString(), answers[0], answers[1]);
            if (answer.HasAddresses)
                return answer;
            isHopeless |= isSearched && answer.Outcome is not (LookupOutcome.Nxdomain or LookupOutcome.Empty or LookupOutcome.Servfail);
            if (told is null || answer.Outcome > told.Outcome)
                told = answer;
        }

        return told ?? new NameAnswer(name, FamilyAnswer.Failed(LookupOutcome.Nxdomain), FamilyAnswer.Failed(LookupOutcome.Nxdomain));
    }

    /// <summary>Asks the servers in turn, first the one that answered last, until one says what is so.</summary>
    private async Task<FamilyAnswer> AskAsync(ResolvConf conf, DnsName name, DnsRecordType type, long start, CancellationToken cancel)
    {
        var last = FamilyAnswer.Failed(LookupOutcome.Timeout);
        var preferred = _preferred;
        for (var asked = 0; asked < conf.Attempts * conf.Servers.Count; asked++)
        {
            var left = LongestLookup - _time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero)
                break;
            var server = (preferred + asked) % conf.Servers.Count;
            last = await _client.AskAsync(conf.Servers[server], name, type, conf.UseTcp, left < conf.Timeout ? left : conf.Timeout, cancel).ConfigureAwait(false);
            if (last.Outcome is not (LookupOutcome.Good or LookupOutcome.Empty or LookupOutcome.Nxdomain))
                continue;
            _preferred = server;
            break;
        }

        return last;
    }
}
