using System.Text.Json;
using System.Text.Json.Nodes;
using Holdfast.Cli;
using Holdfast.Cli.Rehearse;
using Holdfast.Cli.Rehearse.Judging;
using Holdfast.Cli.Rehearse.Reporting;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class RehearseReportTests
{
    private static readonly SystemResult Blank = new()
    {
        System = "holdfast",
        Protocol = "opaque",
        Mode = "breakFirst",
        Late = false,
        Connections = 3,
        Rolls = 0,
        Replicas = 2,
        DrainMs = 2000,
        Planted = new PlantedReport(12, 12, true, [], []),
    };

    private static readonly Rules Rules = new(RehearseProtocol.Opaque, MakesFirst: false, Quiet: 500_000, Fence: 1_000_000);

    [Fact]
    public void Names_in_the_json_are_those_that_are_promised()
    {
        var json = JsonNode.Parse(JsonSerializer.Serialize(new RehearseReport([Fill(new Story(hasFeed: false), isPromised: true)]), RehearseJson.Default.RehearseReport))!;
        var result = json["results"]![0]!.AsObject();
        Assert.Equal(("holdfast", "opaque", 3, 0), ((string)result["system"]!, (string)result["protocol"]!, (int)result["connections"]!, (int)result["rolls"]!));
        foreach (var count in (string[])["disconnects", "lost", "duplicated", "reordered", "lostAtKill", "answersLost", "notSent"])
            Assert.Equal(0, (int)result[count]!);
        Assert.Equal(2.0, (double)result["stallP99Ms"]!);
        Assert.Equal(3 * Story.Messages, (int)result["sent"]!);
        Assert.Equal(3, (int)result["rehomes"]!);
        Assert.Equal(0, (int)result["unknown"]!);
    }

    [Fact]
    public void What_was_lost_at_the_kill_stands_apart()
    {
        var story = new Story(hasFeed: false) { OldEnds = EndKind.Killed };
        story.Lose(0, 2);
        story.Lose(1, Story.Messages / 2 - 1);
        story.ReadTwice(2, 8);
        story.ReadAfterNext(2, 11);
        var result = Fill(story, isPromised: true);
        Assert.Equal((1, 1, 1, 1), (result.Lost, result.LostAtKill, result.Duplicated, result.Reordered));
        Assert.Equal(4, result.Broken.Count);
        Assert.False(result.IsGood);
    }

    [Fact]
    public void A_peer_has_no_promises_to_break_but_its_counts_stand()
    {
        var story = new Story(hasFeed: false);
        story.Lose(0, 2);
        var result = Fill(story, isPromised: false) with { System = "nginx", Invalid = [] };
        Assert.Equal((1, 0), (result.Lost, result.Broken.Count));
        Assert.True(result.IsGood);
    }

    [Fact]
    public void Nothing_is_good_that_failed_or_shows_nothing()
    {
        var good = Fill(new Story(hasFeed: false), isPromised: true) with { Invalid = [] };
        Assert.True(good.IsGood);
        Assert.False((good with { Failed = "nginx is not installed (Debian package nginx)" }).IsGood);
        Assert.False((good with { Invalid = ["no replica was killed"] }).IsGood);
        Assert.False((good with { Planted = PlantedReport.None }).IsGood);
        Assert.False((good with { Planted = good.Planted with { Exact = false } }).IsGood);
        Assert.False((good with { Broken = [new BrokenReport("p", 1, "e")] }).IsGood);
    }

    [Fact]
    public void A_system_that_failed_has_its_row_and_its_reason()
    {
        var lines = Scoreboard.Lines([Blank, Blank with { System = "nginx", Failed = "nginx is not installed (Debian package nginx)" }]).ToList();
        Assert.Equal(4, lines.Count);
        Assert.StartsWith("nginx ", lines[2], StringComparison.Ordinal);
        Assert.Contains("failed", lines[2], StringComparison.Ordinal);
        Assert.Equal("nginx, opaque: failed: nginx is not installed (Debian package nginx)", lines[3]);
    }

    [Theory]
    [InlineData("--connections 0", "from 1 to 20000")]
    [InlineData("--rolls 101", "from 1 to 100")]
    [InlineData("--replicas 1", "from 2 to 50")]
    [InlineData("--protocol mqtt", "opaque")]
    [InlineData("--mode sideways", "breakFirst")]
    [InlineData("--against nginx,envoy", "nginx, haproxy, or both")]
    [InlineData("--drain -1", "from 0 to 300")]
    [InlineData("--keep /tmp", "does not exist yet")]
    public void Bad_options_are_named_with_what_would_be_right(string options, string good) =>
        Assert.Contains(good, Assert.Single(Program.Root().Parse("rehearse " + options).Errors).Message, StringComparison.Ordinal);

    [Fact]
    public void Good_options_are_taken_and_replicas_are_not_shown()
    {
        Assert.Empty(Program.Root().Parse("rehearse --connections 2000 --rolls 10 --protocol json --late --against nginx,haproxy --json").Errors);
        Assert.Empty(Program.Root().Parse("rehearse --planted-only --protocol all --mode breakFirst --drain 1.5 --keep /tmp/does/not/exist").Errors);
        Assert.True(Program.Root().Subcommands.Single(c => c.Name == "rehearse-replica").Hidden);
    }

    private static SystemResult Fill(Story story, bool isPromised) =>
        SystemVerdict.Fill(Blank, story.Tell(), Rules, [], new Dictionary<int, long> { [1] = 0 }, isPromised);
}
