using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>The clock that all replicas of a feed share: by channel, the last number.</summary>
internal sealed class JsonWorld
{
    public Dictionary<string, long> Last { get; } = new() { ["a"] = 0, ["b"] = 10, ["c\"\\"] = 20, ["d"] = 0, ["e"] = 0 };
}

/// <summary>A market feed: {"op":"sub","ch":[..],"since":n}, {"op":"unsub","ch":[..]}; {"ev":"subscribed","ch":..} and {"ev":"price","ch":..,"seq":n}.</summary>
internal sealed class JsonModelServer(JsonWorld world) : ModelServer
{
    public HashSet<string> Live { get; } = [];

    public override void Act(Random random)
    {
        if (random.Next(2) == 0)
            Say("""{"ev":"heartbeat"}""");
    }

    /// <summary>The clock has ticked.</summary>
    public void Tick(string channel)
    {
        if (Live.Contains(channel))
            Price(channel, world.Last[channel]);
    }

    protected override void OnMessage(byte[] message)
    {
        using var parsed = JsonDocument.Parse(message);
        var read = parsed.RootElement;
        var isSet = ModelJson.Text(read, "op") == "sub";
        var channels = read.GetProperty("ch");
        foreach (var channel in channels.ValueKind == JsonValueKind.Array ? channels.EnumerateArray().Select(static c => c.GetString()!).ToArray() : [channels.GetString()!])
        {
            if (!isSet)
            {
                Live.Remove(channel);
                continue;
            }

            Live.Add(channel);
            Say($$"""{"ev":"subscribed","ch":{{ModelJson.Quote(channel)}}}""");
            if (!read.TryGetProperty("since", out var since))
                continue;
            for (var number = since.GetInt64() + 1; number <= world.Last[channel]; number++)
                Price(channel, number);
        }
    }

    private void Price(string channel, long number) =>
        Say($$"""{"seq":{{number.ToString(CultureInfo.InvariantCulture)}},"ch":{{ModelJson.Quote(channel)}},"ev":"price"}""");

    private void Say(string message) => FromServer.Enqueue(ModelJson.Bytes(message));
}

/// <summary>A client that fails on a number twice or out of order, on an answer too many, and, where the feed can be without gaps, on a gap.</summary>
internal sealed class JsonModelClient(Queue<byte[]> toGateway, bool failsOnGap, bool countsAnswers)
{
    private readonly Dictionary<string, long> _last = [];
    private readonly Dictionary<string, int> _unanswered = [];

    /// <summary>Where gaps count these are not subscribed to again: what was missed in between is a gap without a gateway too.</summary>
    private readonly HashSet<string> _left = [];

    public HashSet<string> Live { get; } = [];

    public Dictionary<string, long> Last => _last;

    public int Unanswered => _unanswered.Values.Sum();

    public void Act(Random random, JsonWorld world)
    {
        var all = world.Last.Keys.Where(_ => random.Next(2) == 0).ToArray();
        var isSet = random.Next(3) != 0;

        // A second question about a channel waits for the first answer: the answers could not be told apart by the client either.
        string[] channels = [.. all.Where(channel => isSet ? !Live.Contains(channel) && !_left.Contains(channel) : Live.Contains(channel) && _unanswered.GetValueOrDefault(channel) <= 0)];
        if (channels.Length == 0)
            return;
        foreach (var channel in channels)
        {
            if (isSet)
            {
                Live.Add(channel);
                _unanswered[channel] = _unanswered.GetValueOrDefault(channel) + 1;
            }
            else
            {
                Live.Remove(channel);
                if (failsOnGap)
                    _left.Add(channel);
            }
        }

        var list = channels is [var only] && random.Next(2) == 0 ? ModelJson.Quote(only) : $"[{string.Join(", ", channels.Select(ModelJson.Quote))}]";
        toGateway.Enqueue(ModelJson.Bytes($$"""{"op":"{{(isSet ? "sub" : "unsub")}}","ch": {{list}} }"""));
    }

    public void Read(byte[] message)
    {
        using var parsed = JsonDocument.Parse(message);
        var read = parsed.RootElement;
        var channel = ModelJson.Text(read, "ch");
        switch (ModelJson.Text(read, "ev"))
        {
            case "subscribed":
                _unanswered[channel!] = _unanswered.GetValueOrDefault(channel!) - 1;
                Assert.True(!countsAnswers || _unanswered[channel!] >= 0, $"{channel} is answered twice");
                break;
            case "price":
                var number = read.GetProperty("seq").GetInt64();
                var isKnown = _last.TryGetValue(channel!, out var last);
                Assert.True(!isKnown || number > last, $"{channel}: {number} after {last}");
                _last[channel!] = number;
                if (!Live.Contains(channel!))
                    break; // Under way when the client left.
                Assert.True(!failsOnGap || !isKnown || number == last + 1, $"{channel}: {number} after {last}, a gap");
                break;
            default:
                break;
        }
    }
}
