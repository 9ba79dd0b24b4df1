using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Cli.Dev;
using Holdfast.Cli.Rehearse.Clients;
using Holdfast.Cli.Rehearse.Judging;
using Holdfast.Cli.Rehearse.Replicas;
using Holdfast.Cli.Rehearse.Reporting;
using Holdfast.Cli.Rehearse.Systems;

namespace Holdfast.Cli.Rehearse;

/// <summary>
/// One system with one protocol, from its start to its judgement: replicas, the system, faults planted on connections of their own, load, rolls, the hard kill.
/// Nothing is left when it returns.
/// </summary>
/// <param name="options">What was asked for.</param>
/// <param name="protocol">That clients and replicas speak.</param>
/// <param name="make">The system.</param>
/// <param name="folder">Its own.</param>
/// <param name="tool">This tool's own command.</param>
/// <param name="findTool">A program of the machine, or null.</param>
/// <param name="say">Where to tell what goes on.</param>
/// <param name="time">The clock.</param>
/// <param name="random">For ports, back-offs and clients, in this order of calls.</param>
internal sealed class SystemRun(
    RehearseOptions options,
    RehearseProtocol protocol,
    Func<SystemSetting, IFrontSystem> make,
    string folder,
    IReadOnlyList<string> tool,
    Func<string, string?> findTool,
    Action<string> say,
    TimeProvider time,
    Random random)
{
    /// <summary>Connections with planted faults are numbered from here on.</summary>
    public const int FirstPlanted = 1_000_000;

    /// <summary>From the end of a drain to SIGTERM: a fence and a quiet time, on a busy machine too.</summary>
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AfterTerm = TimeSpan.FromSeconds(4);

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PlantedInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan PlantLimit = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AfterKill = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan SettleLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LeaveLimit = TimeSpan.FromSeconds(5);

    private readonly RunClock _clock = new(time);
    private readonly string _journals = Path.Combine(folder, "journals");

    /// <param name="system">Its name, should it not even start.</param>
    public async Task<SystemResult> RunAsync(string system, CancellationToken cancel)
    {
        var blank = new SystemResult
        {
            System = system,
            Protocol = protocol.NameOf(),
            Mode = options.ModeOf(protocol) == HoldMode.MakeFirst ? "makeFirst" : "breakFirst",
            Late = options.Late,
            Connections = options.Connections,
            Rolls = options.Rolls,
            Replicas = options.Replicas,
            DrainMs = options.DrainDuration.TotalMilliseconds,
            Planted = PlantedReport.None,
        };
        try
        {
            return await RunAsync(blank, cancel);
        }
        catch (Exception e) when (e is RehearseException or IOException or FormatException)
        {
            return blank with { Failed = e.Message };
        }
    }

    private async Task<SystemResult> RunAsync(SystemResult blank, CancellationToken cancel)
    {
        Directory.CreateDirectory(_journals);
        var command = ReplicaSpec.For(protocol, _journals, tool, findTool, options.Keep is null ? Path.GetDirectoryName(folder) : null);
        var setting = new SystemSetting(protocol, options.ModeOf(protocol), options.Hold, options.DrainDuration, options.Connections, folder, findTool, time, random);
        await using var system = make(setting);
        var preStop = options.Late ? TimeSpan.Zero : options.DrainDuration + AfterDrain;
        await using var fleet = new ReplicaFleet(
            options.Replicas, options.Late, new EndTimes(preStop, preStop + AfterTerm), command, system.News, random, _clock, time);
        await fleet.StartAsync(cancel);
        await system.StartAsync(cancel);

        var planted = await PlantAsync(system, cancel);
        say(planted.IsExact
            ? string.Create(CultureInfo.InvariantCulture, $"planted {planted.Planted.Count} faults, found exactly these")
            : string.Create(CultureInfo.InvariantCulture, $"planted {planted.Planted.Count} faults, found {planted.Found.Count}: not the same ones"));
        blank = blank with { Planted = PlantedReport.From(planted) };
        if (options.PlantedOnly)
            return blank with { Connections = planted.Planted.Count / 2, Rolls = 0 };
        return await LoadAsync(blank, system, fleet, cancel);
    }

    /// <summary>Faults of every kind in both directions, on connections of their own, all the way from a client to the judge.</summary>
    private async Task<PlantedResult> PlantAsync(IFrontSystem system, CancellationToken cancel)
    {
        var plans = FaultPlan.All(FirstPlanted, protocol.HasFeed());
        var clients = plans.Select((plan, i) => Client(system, FirstPlanted + i, "p", plan)).ToList();
        await using var crew = new ClientCrew(clients, PlantedInterval, _clock, time);
        await OpenAsync(crew, system, cancel);
        crew.StartSending();
        var began = time.GetTimestamp();
        while (plans.Any(p => !p.IsDone) && time.GetElapsedTime(began) < PlantLimit)
            await Task.Delay(PlantedInterval, time, cancel);
        var until = await crew.StopSendingAsync();
        await crew.SettleAsync(until, SettleLimit, cancel);
        await crew.LeaveAsync(LeaveLimit);
        var evidence = new Evidence([.. clients.Select(c => c.Record())], JournalReader.ReadAll(_journals), [], until, AnswersAreOrdered: HasOrderedAnswers);
        return PlantedResult.Compare(plans.SelectMany(p => p.Planted), Judge.Examine(evidence));
    }

    private async Task<SystemResult> LoadAsync(SystemResult blank, IFrontSystem system, ReplicaFleet fleet, CancellationToken cancel)
    {
        var clients = Enumerable.Range(0, options.Connections).Select(n => Client(system, n, "c")).ToList();
        await using var crew = new ClientCrew(clients, Interval, _clock, time);
        await OpenAsync(crew, system, cancel);
        say(string.Create(CultureInfo.InvariantCulture, $"{options.Connections} connections, each with a message a second"));
        crew.StartSending();
        await Task.Delay(WarmUp, time, cancel);
        var rolls = new List<RollRecord>();
        for (var roll = 1; roll <= options.Rolls; roll++)
        {
            rolls.Add(await fleet.RollAsync(cancel));
            say(string.Create(CultureInfo.InvariantCulture, $"roll {roll} of {options.Rolls} done: {options.Replicas} replicas replaced"));
        }

        await fleet.KillBusiestAsync(_journals, crew.Burst, cancel);
        say("killed one replica with messages in flight");
        await Task.Delay(AfterKill, time, cancel);
        var until = await crew.StopSendingAsync();
        await crew.SettleAsync(until, SettleLimit, cancel);
        await crew.LeaveAsync(LeaveLimit);

        if ((system.Failure ?? fleet.Failure) is { } failure)
            throw new RehearseException(failure);
        var records = clients.Select(c => c.Record()).ToList();
        var ends = records.ToDictionary(r => r.Number, r => 1 + r.Disconnects.Count);
        var unknown = await system.UnknownAsync(ends, cancel);
        var evidence = new Evidence(records, JournalReader.ReadAll(_journals), fleet.Ends, until, HasOrderedAnswers);
        if (options.Keep is not null)
            EvidenceFile.Write(Path.Combine(folder, "clients"), evidence);
        return SystemVerdict.Fill(blank, evidence, RulesOf(), rolls, unknown, isPromised: system is HoldfastSystem);
    }

    /// <summary>A GraphQL server runs operations side by side, and says nothing of their order.</summary>
    private bool HasOrderedAnswers => protocol != RehearseProtocol.GraphqlTransportWs;

    private Rules RulesOf()
    {
        var defaults = new HoldOptions();
        return new Rules(
            protocol, options.ModeOf(protocol) == HoldMode.MakeFirst, (long)defaults.Quiet.TotalMicroseconds, (long)defaults.Fence.TotalMicroseconds);
    }

    private async Task OpenAsync(ClientCrew crew, IFrontSystem system, CancellationToken cancel)
    {
        if (!await crew.OpenAsync(OpenLimit, cancel))
        {
            cancel.ThrowIfCancellationRequested();
            throw new RehearseException(system.Failure ?? string.Create(
                CultureInfo.InvariantCulture, $"{crew.Clients.Count(c => c.WasReady)} of {crew.Clients.Count} connections were ready in {OpenLimit.TotalSeconds:0} s"));
        }
    }

    private ClientConnection Client(IFrontSystem system, int number, string channel, FaultPlan? plan = null)
    {
        channel += string.Create(CultureInfo.InvariantCulture, $"{number % FirstPlanted}");
        ClientDialect dialect = protocol switch
        {
            RehearseProtocol.Json => new JsonDialect(number, channel),
            RehearseProtocol.GraphqlTransportWs => new GraphqlDialect(number, channel),
            _ => new OpaqueDialect(number),
        };
        return new ClientConnection(number, dialect, system.Address, _clock, new Random(random.Next()), time, plan);
    }
}
