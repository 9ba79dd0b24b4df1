using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Gateway.Discovery;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Discovery;

/// <summary>The resolver against name servers of every kind, over real sockets, on a clock of the test's own.</summary>
public sealed class ResolverTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("holdfast-test-");
    private readonly NameServer _server = new();
    private readonly NameServer _other = new();
    private readonly ManualTime _time = new();
    private readonly Resolver _resolver;

    public ResolverTests()
    {
        WriteConf("search one.test two.test\noptions ndots:2");
        _resolver = Resolve(_server.Address);
    }

    [Fact]
    public async Task Both_families_are_asked_and_all_addresses_found()
    {
        _server.Serve("chat.one.test", "10.0.0.1", "10.0.0.2", "fd00::1");
        var answer = await LookUpAsync("chat");
        Assert.Equal((LookupOutcome.Good, "chat.one.test"), (answer.Outcome, answer.FullName));
        Assert.Equal(["10.0.0.1", "10.0.0.2"], Text(answer.V4));
        Assert.Equal(["fd00::1"], Text(answer.V6));
        Assert.Equal(TimeSpan.FromSeconds(5), answer.TimeToLive);
    }

    [Fact]
    public async Task Ids_and_ports_are_not_to_be_guessed()
    {
        _server.Serve("chat.one.test", "10.0.0.1");
        for (var i = 0; i < 50; i++)
            _ = await LookUpAsync("chat");
        // 100 of 65,536 ids: 20 and more equal pairs come about once in 10^30 runs.
        Assert.True(_server.Questions.Select(q => q.Id).Distinct().Count() > 80, "ids come again");
        Assert.True(_server.Questions.Select(q => ((IPEndPoint)q.From).Port).Distinct().Count() > 50, "ports come again");
        Assert.All(_server.Questions, q => Assert.Equal(1232, q.UdpSize));
    }

    [Fact]
    public async Task Answers_with_other_ids_are_waited_over()
    {
        _server.Serve("chat.one.test", NameServer.WrongIds("10.6.6.6", NameServer.Addresses("10.0.0.1")));
        Assert.Equal(["10.0.0.1"], Text((await LookUpAsync("chat")).V4));
    }

    [Fact]
    public async Task A_truncated_answer_is_asked_for_over_TCP()
    {
        string[] many = [.. Enumerable.Range(0, 1500).Select(i => $"10.0.{i / 250}.{(i % 250) + 1}")];
        _server.Serve("chat.one.test", NameServer.Truncated(NameServer.Addresses(many)));
        var answer = await LookUpAsync("chat");
        Assert.Equal(LookupOutcome.Good, answer.Outcome);
        Assert.Equal(many, Text(answer.V4));
        Assert.Equal([false, false, true, true], _server.Questions.Select(q => q.IsTcp).Order());
    }

    [Fact]
    public async Task A_TCP_answer_that_breaks_off_or_is_truncated_too_is_none()
    {
        _server.Serve("chat.one.test", DnsMessages.A, NameServer.Truncated(NameServer.Cut(NameServer.Addresses("10.0.0.1"))));
        _server.Serve("chat.one.test", DnsMessages.Aaaa, q => Task.FromResult(new DnsReply([DnsMessages.Respond(q, [], truncated: true)])));
        var answer = await LookUpAsync("chat");
        Assert.Equal((LookupOutcome.Malformed, LookupOutcome.Malformed), (answer.V4.Outcome, answer.V6.Outcome));
    }

    [Fact]
    public async Task The_option_use_vc_asks_over_TCP_only()
    {
        WriteConf("options use-vc");
        _server.Serve("chat.test", "10.0.0.1");
        Assert.Equal(LookupOutcome.Good, (await LookUpAsync("chat.test")).Outcome);
        Assert.All(_server.Questions, q => Assert.True(q.IsTcp));
    }

    [Theory]
    [InlineData(DnsMessages.ServerFailure, LookupOutcome.Servfail)]
    [InlineData(DnsMessages.Refused, LookupOutcome.Refused)]
    [InlineData(DnsMessages.NameError, LookupOutcome.Nxdomain)]
    [InlineData(DnsMessages.NoError, LookupOutcome.Empty)]
    [InlineData(9, LookupOutcome.Servfail)]
    public async Task A_code_is_an_outcome(int code, object outcome)
    {
        _server.Serve("chat.test", NameServer.Code(code));
        Assert.Equal((LookupOutcome)outcome, (await LookUpAsync("chat.test.")).Outcome);
    }

    [Fact]
    public async Task Half_an_answer_is_told_as_half()
    {
        _server.Serve("chat.test", "10.0.0.1");
        _server.Serve("chat.test", DnsMessages.Aaaa, NameServer.Code(DnsMessages.ServerFailure));
        var answer = await LookUpAsync("chat.test.");
        Assert.Equal((LookupOutcome.Partial, LookupOutcome.Good, LookupOutcome.Servfail), (answer.Outcome, answer.V4.Outcome, answer.V6.Outcome));
    }

    [Fact]
    public async Task Silence_times_out_after_every_attempt()
    {
        _server.Serve("chat.test", NameServer.Silence);
        var lookup = LookUpAsync("chat.test.");
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await AskedAsync(_server, "chat.test", 2 * attempt);
            Assert.False(lookup.IsCompleted);
            _time.Advance(TimeSpan.FromSeconds(5.1));
        }

        Assert.Equal(LookupOutcome.Timeout, (await lookup).Outcome);
        Assert.Equal(4, _server.Asked("chat.test"));
    }

    [Fact]
    public async Task Garbage_is_waited_over_and_told_as_malformed()
    {
        _server.Serve("chat.test", NameServer.Garbage);
        WriteConf("options attempts:1");
        var lookup = LookUpAsync("chat.test.");
        await Processes.UntilAsync(() => _server.Sent == 6, "the garbage was sent");
        // What comes later through the same poller shows that the garbage has been read.
        using (var later = new Resolver(Sources(_server.Address), TimeProvider.System))
            _ = await later.LookUpAsync("later.test.", null, TestContext.Current.CancellationToken);
        Assert.False(lookup.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(5.1));
        Assert.Equal(LookupOutcome.Malformed, (await lookup).Outcome);
    }

    [Fact]
    public async Task A_broken_answer_to_the_very_question_is_malformed_at_once()
    {
        _server.Serve("chat.test", NameServer.Broken);
        Assert.Equal(LookupOutcome.Malformed, (await LookUpAsync("chat.test.")).Outcome);
        Assert.Equal(4, _server.Asked("chat.test"));
    }

    [Fact]
    public async Task Where_no_server_listens_the_outcome_is_unreachable()
    {
        using var free = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = (IPEndPoint)free.LocalEndPoint!;
        free.Dispose();
        using var resolver = Resolve(address);
        Assert.Equal(LookupOutcome.Unreachable, (await resolver.LookUpAsync("chat.test.", null, TestContext.Current.CancellationToken)).Outcome);
    }

    [Theory]
    [InlineData(DnsMessages.FormatError)]
    [InlineData(4)]
    public async Task A_server_from_before_EDNS_is_asked_without_it(int code)
    {
        _server.Serve("chat.test", q => q.UdpSize > 0 ? NameServer.Code(code)(q with { UdpSize = 0 }) : NameServer.Addresses("10.0.0.1")(q));
        Assert.Equal(["10.0.0.1"], Text((await LookUpAsync("chat.test.")).V4));
    }

    [Fact]
    public async Task The_next_server_is_asked_when_one_fails_and_then_stays_the_first()
    {
        using var resolver = Resolve(_server.Address, _other.Address);
        _server.Serve("chat.test", NameServer.Code(DnsMessages.ServerFailure));
        _other.Serve("chat.test", "10.0.0.1");
        for (var i = 0; i < 3; i++)
            Assert.Equal(LookupOutcome.Good, (await resolver.LookUpAsync("chat.test.", null, TestContext.Current.CancellationToken)).Outcome);
        Assert.Equal((2, 6), (_server.Asked("chat.test"), _other.Asked("chat.test")));

        _other.Serve("chat.test", NameServer.Code(DnsMessages.Refused));
        _server.Serve("chat.test", "10.0.0.2");
        Assert.Equal(["10.0.0.2"], Text((await resolver.LookUpAsync("chat.test.", null, TestContext.Current.CancellationToken)).V4));
    }

    [Fact]
    public async Task The_search_goes_on_after_NXDOMAIN_no_data_and_SERVFAIL()
    {
        WriteConf("search nx.test empty.test failing.test good.test late.test\noptions ndots:2 attempts:1");
        _server.Serve("chat.empty.test", []);
        _server.Serve("chat.failing.test", NameServer.Code(DnsMessages.ServerFailure));
        _server.Serve("chat.good.test", "10.0.0.1");
        _server.Serve("chat.late.test", "10.6.6.6");
        var answer = await LookUpAsync("chat");
        Assert.Equal(("chat.good.test", "10.0.0.1"), (answer.FullName, Assert.Single(Text(answer.V4))));
        Assert.Equal(["chat.nx.test", "chat.empty.test", "chat.failing.test", "chat.good.test"], Asked());
    }

    [Fact]
    public async Task A_refused_domain_ends_the_search_but_the_name_itself_is_still_asked()
    {
        WriteConf("search refusing.test good.test\noptions ndots:2 attempts:1");
        _server.Serve("chat.refusing.test", NameServer.Code(DnsMessages.Refused));
        _server.Serve("chat.good.test", "10.6.6.6");
        Assert.Equal(LookupOutcome.Refused, (await LookUpAsync("chat")).Outcome);
        Assert.Equal(["chat.refusing.test", "chat"], Asked());
    }

    [Fact]
    public async Task A_name_found_before_is_not_replaced_by_one_further_down()
    {
        _server.Serve("chat.one.test", NameServer.Code(DnsMessages.NameError));
        _server.Serve("chat.two.test", "10.6.6.6");
        Assert.Equal(LookupOutcome.Nxdomain, (await LookUpAsync("chat", found: "chat.one.test")).Outcome);
        Assert.Equal(["chat.one.test"], Asked());
    }

    [Fact]
    public async Task Hosts_come_first_and_ask_no_server()
    {
        await File.WriteAllTextAsync(Hosts, "10.1.1.1 chat\n", TestContext.Current.CancellationToken);
        _server.Serve("chat.one.test", "10.0.0.1");
        Assert.Equal(["10.1.1.1"], Text((await LookUpAsync("chat")).V4));
        Assert.Empty(_server.Questions);

        File.Delete(Hosts);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(["10.1.1.1"], Text((await LookUpAsync("chat")).V4));

        await File.WriteAllTextAsync(Hosts, "# nothing\n", TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(["10.0.0.1"], Text((await LookUpAsync("chat")).V4));
    }

    [Fact]
    public async Task A_changed_resolv_conf_is_read_also_behind_a_symbolic_link()
    {
        var (first, second) = (Path.Combine(_folder.FullName, "first"), Path.Combine(_folder.FullName, "second"));
        await File.WriteAllTextAsync(first, "search one.test", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(second, "search two.test", TestContext.Current.CancellationToken);
        Link(first);
        _server.Serve("chat.one.test", "10.0.0.1");
        _server.Serve("chat.two.test", "10.0.0.2");
        Assert.Equal("chat.one.test", (await LookUpAsync("chat")).FullName);

        Link(second);
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("chat.two.test", (await LookUpAsync("chat")).FullName);

        void Link(string target)
        {
            File.CreateSymbolicLink(Conf + ".new", target);
            File.Move(Conf + ".new", Conf, overwrite: true);
        }
    }

    [Fact]
    public async Task A_whole_look_up_ends_after_a_minute_however_long_the_search()
    {
        WriteConf($"search {string.Join(' ', Enumerable.Range(0, 32).Select(i => $"d{i}.test"))}\noptions timeout:30 attempts:5");
        for (var i = 0; i < 32; i++)
            _server.Serve($"chat.d{i}.test", NameServer.Silence);
        _server.Serve("chat", NameServer.Silence);
        var lookup = LookUpAsync("chat");
        await AskedAsync(_server, "chat.d0.test", 2);
        _time.Advance(TimeSpan.FromSeconds(30));
        await AskedAsync(_server, "chat.d0.test", 4);
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(LookupOutcome.Timeout, (await lookup.WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken)).Outcome);
    }

    [Fact]
    public async Task Cancelling_ends_a_look_up_at_once()
    {
        _server.Serve("chat.test", NameServer.Silence);
        using var cancel = new CancellationTokenSource();
        var lookup = _resolver.LookUpAsync("chat.test.", null, cancel.Token);
        await AskedAsync(_server, "chat.test", 2);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lookup.WaitAsync(RawPeer.Patience, TestContext.Current.CancellationToken));
    }

    public void Dispose()
    {
        _resolver.Dispose();
        _server.Dispose();
        _other.Dispose();
        _folder.Delete(recursive: true);
    }

    private string Conf => Path.Combine(_folder.FullName, "resolv.conf");

    private string Hosts => Path.Combine(_folder.FullName, "hosts");

    private static IEnumerable<string> Text(FamilyAnswer answer) => answer.Addresses.Select(a => a.ToString());

    private static Task AskedAsync(NameServer server, string name, int times) => Processes.UntilAsync(() => server.Asked(name) >= times, $"{name} was asked {times} times");

    private IEnumerable<string> Asked() => _server.Questions.Select(q => q.Name).Distinct();

    private void WriteConf(string text)
    {
        File.WriteAllText(Conf, text);
        _time.Advance(TimeSpan.FromSeconds(2));
    }

    private ResolverSources Sources(params IPEndPoint[] servers) => new() { ResolvConf = Conf, Hosts = Hosts, Servers = servers };

    private Resolver Resolve(params IPEndPoint[] servers) => new(Sources(servers), _time);

    private Task<NameAnswer> LookUpAsync(string name, string? found = null) => _resolver.LookUpAsync(name, found, TestContext.Current.CancellationToken);
}
