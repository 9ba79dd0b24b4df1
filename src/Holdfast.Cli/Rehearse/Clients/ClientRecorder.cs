using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>What one client keeps for the judge. Written under the client's lock or by its receiving task; read when both have ended.</summary>
internal sealed class ClientRecorder(int number, FeedClock? feed)
{
    public List<SentMessage> Sent { get; } = [];

    public List<Answer> Answers { get; } = [];

    public List<Tick> Ticks { get; } = [];

    public List<Disconnect> Disconnects { get; } = [];

    public int Refused { get; set; }

    public int Strange { get; set; }

    /// <summary>0: never.</summary>
    public long OpenedAt { get; set; }

    public ConnectionRecord Record() => new(number, OpenedAt, feed, Sent, Answers, Ticks, Disconnects, Refused, Strange);
}
