using System.Text.Json;
using Holdfast.Cli;
using Holdfast.Cli.Load;

namespace Holdfast.Functional.Tests.Load;

public sealed class LoadTests
{
    [Fact]
    public async Task A_clean_server_gives_all_zeros()
    {
        await using var server = new FaultyServer((_, _) => Fault.None);
        var (exit, report) = await LoadAsync(server.Url, rate: 5000, seconds: 2);
        Assert.Equal(ExitCodes.Ok, exit);
        Assert.True(report.IsClean);
        Assert.Equal(10_000, report.Sent);
        Assert.Equal(10_000, report.Received);
        Assert.Equal(50, report.Connected);
        Assert.InRange(report.LatencyMs!.P50, 0.001, 500);
    }

    [Fact]
    public async Task One_message_in_ten_thousand_lost_doubled_and_reordered_is_reported_exactly()
    {
        // On 50 connections of 2,000 messages: 10 of each, spread over connections, some at a connection's very start or beside each other.
        await using var server = new FaultyServer((connection, n) => (((connection * 2000) + n) % 10_000) switch
        {
            0 => Fault.Lose,
            3001 => Fault.Double,
            3002 => Fault.Delay,
            3003 => Fault.Lose,
            7777 => Fault.Delay,
            7778 => Fault.Lose,
            _ => Fault.None,
        });
        var (exit, report) = await LoadAsync(server.Url, rate: 25_000, seconds: 4);
        Assert.Equal(ExitCodes.FaultsFound, exit);
        Assert.Equal(100_000, report.Sent);
        Assert.Equal((30, 10, 20), (server.Lost, server.Doubled, server.Delayed));
        Assert.Equal((30L, 10L, 20L), (report.Lost, report.Duplicated, report.Reordered));
        Assert.Equal((0L, 0L), (report.Corrupted, report.Disconnects));
        Assert.Equal(report.Sent - 30 + 10, report.Received);
        Assert.True(report.Exact);
    }

    [Theory]
    [InlineData(nameof(Fault.CorruptBody))]
    [InlineData(nameof(Fault.CorruptHeader))]
    public async Task A_corrupted_answer_is_corrupted_and_nothing_else(string kind)
    {
        var fault = Enum.Parse<Fault>(kind);
        await using var server = new FaultyServer((connection, n) => connection % 10 == 3 && n == 17 ? fault : Fault.None);
        var (exit, report) = await LoadAsync(server.Url, rate: 2500, seconds: 1);
        Assert.Equal(ExitCodes.FaultsFound, exit);
        Assert.Equal(5, server.Corrupted);
        Assert.Equal((5L, 0L, 0L, 0L), (report.Corrupted, report.Lost, report.Duplicated, report.Reordered));
    }

    [Fact]
    public async Task The_last_messages_of_a_connection_lost_are_counted()
    {
        await using var server = new FaultyServer((_, n) => n >= 48 ? Fault.Lose : Fault.None);
        var (_, report) = await LoadAsync(server.Url, rate: 2500, seconds: 1);
        Assert.Equal(100, server.Lost);
        Assert.Equal((100L, 0L), (report.Lost, report.Disconnects));
    }

    [Fact]
    public async Task A_message_that_comes_only_before_the_close_is_not_lost()
    {
        await using var server = new FaultyServer((connection, n) => connection == 4 && n == 49 ? Fault.Delay : Fault.None);
        var (exit, report) = await LoadAsync(server.Url, rate: 2500, seconds: 1);
        Assert.Equal(ExitCodes.Ok, exit);
        Assert.True(report.IsClean);
    }

    [Fact]
    public async Task Closed_connections_are_counted_with_their_codes()
    {
        await using var server = new FaultyServer((connection, n) => (connection, n) switch
        {
            ( < 7, 20) => Fault.Close,
            (7 or 8, 21) => Fault.CloseEmpty,
            (9, 22) => Fault.Hang,
            _ => Fault.None,
        });
        var (exit, report) = await LoadAsync(server.Url, rate: 2500, seconds: 1);
        Assert.Equal(ExitCodes.FaultsFound, exit);
        Assert.Equal(10, server.Closed);
        Assert.Equal(10, report.Disconnects);
        Assert.Equal("1001 x7, 1005 x2, 1006 x1", Text(report.CloseCodes));
        Assert.Equal(report.Lost, report.LostWithConnection);
        Assert.Equal((0L, 0L, 0L), (report.Duplicated, report.Reordered, report.Corrupted));
    }

    [Fact]
    public async Task Pings_are_answered_and_fragmented_answers_are_put_together()
    {
        await using var server = new FaultyServer((_, _) => Fault.None) { PingAndFragment = true };
        var (exit, report) = await LoadAsync(server.Url, rate: 2500, seconds: 1);
        Assert.Equal(ExitCodes.Ok, exit);
        Assert.Equal(2500, report.Received);
        Assert.Equal(5000, server.Pongs);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(125)]
    [InlineData(126)]
    [InlineData(65_536)]
    [InlineData(1_000_000)]
    public async Task Messages_of_any_size_are_checked(int size)
    {
        await using var server = new FaultyServer((connection, n) => connection == 1 && n == 1 ? Fault.CorruptBody : Fault.None);
        var (_, report) = await LoadAsync(server.Url, rate: 30, seconds: 1, size: size, connections: 10);
        Assert.Equal((30L, 30L, 1L, 0L), (report.Sent, report.Received, report.Corrupted, report.Lost));
    }

    [Fact]
    public async Task Several_threads_share_the_connections()
    {
        await using var server = new FaultyServer((connection, n) => n == 10 && connection < 5 ? Fault.Lose : Fault.None);
        var (_, report) = await LoadAsync(server.Url, rate: 2500, seconds: 1, threads: 3);
        Assert.Equal((2500L, 2495L, 5L), (report.Sent, report.Received, report.Lost));
    }

    [Fact]
    public async Task A_numbered_stream_without_faults_is_clean()
    {
        await using var server = new FaultyServer((_, _) => Fault.None);
        var (exit, report) = await LoadAsync(server.Url, rate: 5000, seconds: 1, check: LoadCheck.Sequence);
        Assert.Equal(ExitCodes.Ok, exit);
        Assert.InRange(report.Received, 1000, 20_000);
        Assert.Equal(0, report.Sent);
        Assert.Null(report.LatencyMs);
    }

    [Fact]
    public async Task Faults_in_a_numbered_stream_are_reported_exactly()
    {
        await using var server = new FaultyServer((connection, n) => connection >= 10 ? Fault.None : n switch
        {
            5 => Fault.Lose,
            9 => Fault.Delay,
            10 => Fault.Lose,
            12 => Fault.Double,
            20 => Fault.CorruptBody,
            _ => Fault.None,
        });
        var (exit, report) = await LoadAsync(server.Url, rate: 10_000, seconds: 2, check: LoadCheck.Sequence);
        Assert.Equal(ExitCodes.FaultsFound, exit);
        Assert.Equal((20, 10, 10, 10), (server.Lost, server.Delayed, server.Doubled, server.Corrupted));
        Assert.Equal((20L, 10L, 10L, 10L), (report.Lost, report.Reordered, report.Duplicated, report.Corrupted));
    }

    [Fact]
    public async Task Refused_handshakes_are_named_and_nothing_at_all_is_a_failure()
    {
        await using var refusing = new FaultyServer((_, _) => Fault.None) { RefuseWith = 503 };
        var (exit, report) = await LoadAsync(refusing.Url, rate: 100, seconds: 1);
        Assert.Equal(ExitCodes.Failed, exit);
        Assert.Equal("answered 503 x50", Text(report.Failed));

        await using var lying = new FaultyServer((_, _) => Fault.None) { WrongAcceptKey = true };
        (exit, report) = await LoadAsync(lying.Url, rate: 100, seconds: 1);
        Assert.Equal(ExitCodes.Failed, exit);
        Assert.Equal("wrong Sec-WebSocket-Accept x50", Text(report.Failed));
    }

    [Fact]
    public async Task Several_source_addresses_are_dialled_from()
    {
        await using var server = new FaultyServer((_, _) => Fault.None);
        var options = Options(server.Url, 200, 1, 64, 20, 1, LoadCheck.Echo) with
        {
            Sources = [System.Net.IPAddress.Parse("127.0.0.2"), System.Net.IPAddress.Parse("127.0.0.3")],
        };
        var (exit, report) = await RunAsync(options);
        Assert.Equal(ExitCodes.Ok, exit);
        Assert.Equal(20, report.Connected);
    }

    private static string Text(IReadOnlyDictionary<string, long> counts) => string.Join(", ", counts.Select(c => $"{c.Key} x{c.Value}"));

    private static Task<(int Exit, LoadReport Report)> LoadAsync(
        Uri url, double rate, int seconds, int size = 64, int connections = 50, int threads = 1, LoadCheck check = LoadCheck.Echo) =>
        RunAsync(Options(url, rate, seconds, size, connections, threads, check));

    private static LoadOptions Options(Uri url, double rate, int seconds, int size, int connections, int threads, LoadCheck check) => new()
    {
        Url = url,
        Connections = connections,
        Rate = rate,
        Duration = TimeSpan.FromSeconds(seconds),
        Size = size,
        Threads = threads,
        Check = check,
        ConnectRate = 100_000,
    };

    private static async Task<(int Exit, LoadReport Report)> RunAsync(LoadOptions options)
    {
        using var output = new StringWriter();
        using var progress = new StringWriter();
        var exit = await new LoadSession(options, json: true, output, progress, TimeProvider.System).RunAsync();
        return (exit, JsonSerializer.Deserialize(output.ToString(), LoadJson.Default.LoadReport)!);
    }
}
