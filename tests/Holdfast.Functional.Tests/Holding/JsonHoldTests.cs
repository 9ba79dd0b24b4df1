using System.Globalization;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Holding;

/// <summary>DESIGN section 8 on a feed in JSON, with endpoints played by hand.</summary>
public sealed class JsonHoldTests
{
    private const string Rules = "json: {set: [{match: {op: subscribe}, key: [channel], resume: since}], unset: [{match: {op: unsubscribe}, key: [channel]}], "
        + "replies: [{match: {type: subscribed}, key: [channel]}], sequence: {path: seq, key: [channel]}}";

    private const string Subscribe = """{"op":"subscribe","channel":"c"}""", Subscribed = """{"type":"subscribed","channel":"c"}""";

    [Fact]
    public async Task Make_first_neither_skips_nor_repeats()
    {
        await using var peers = await StartAsync("mode: makeFirst, overlap: 100ms, quiet: 50ms");
        peers.First.Tell(Tick(1));
        peers.Client.Hears(Tick(1));
        await peers.DrainAsync();
        var second = peers.TakeOver();
        peers.First.Pong(peers.First.NextPing());
        Assert.Equal("""{"op":"subscribe","channel":"c","since":1}""", second.NextText());
        second.Tell(Subscribed);
        peers.First.Tell(Tick(2));
        peers.Client.Hears(Tick(2));
        second.Tell(Tick(3));
        peers.First.Tell(Tick(3));
        peers.Client.Hears(Tick(3));
        second.Pong(second.NextPing());
        Assert.Equal(1001, peers.First.UntilClose());
        second.Tell(Tick(4));
        peers.First.Tell(Tick(4));
        peers.First.Send(Frames.CloseFrame(client: false, 1001));
        peers.Client.Hears(Tick(4));
        second.Tell(Tick(5));
        peers.Client.Hears(Tick(5));
    }

    [Fact]
    public async Task A_crash_resumes_where_the_client_was()
    {
        await using var peers = await StartAsync("mode: breakFirst");
        peers.First.Tell(Tick(41));
        peers.Client.Hears(Tick(41));
        peers.First.Reset();
        var second = peers.TakeOver();
        Assert.Equal("""{"op":"subscribe","channel":"c","since":41}""", second.NextText());
        second.Tell(Subscribed);
        second.Tell(Tick(41));
        second.Tell(Tick(42));
        peers.Client.Hears(Tick(42));
    }

    private static async Task<HeldPeers> StartAsync(string how)
    {
        var peers = await HeldPeers.StartAsync($"protocol: json, fence: 60s, {how}, {Rules}");
        peers.Client.Say(Subscribe);
        Assert.Equal(Subscribe, peers.First.NextText());
        peers.First.Tell(Subscribed);
        peers.Client.Hears(Subscribed);
        return peers;
    }

    private static string Tick(int seq) => string.Create(CultureInfo.InvariantCulture, $$"""{"type":"tick","channel":"c","seq":{{seq}}}""");
}
