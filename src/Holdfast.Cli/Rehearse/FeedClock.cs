using System.Globalization;

namespace Holdfast.Cli.Rehearse;

/// <summary>
/// The feed of a channel, which is nothing but the time: whichever replica is asked, message n of a channel is due at the same moment, and the feed goes on
/// while nobody listens. Channels <c>c0</c>, <c>c1</c>, … tick once a second, <c>p0</c>, <c>p1</c>, … ten times; each at a moment of its own.
/// samples/node/rehearse/graphql-server.js has the same.
/// </summary>
/// <param name="IntervalMs">Between two messages.</param>
/// <param name="OffsetMs">Of this channel.</param>
internal readonly record struct FeedClock(long IntervalMs, long OffsetMs)
{
    private const long Step = 37;

    /// <summary>Null: there is no such channel.</summary>
    public static FeedClock? Of(string channel)
    {
        if (channel.Length < 2 || channel[0] is not ('c' or 'p')
            || !int.TryParse(channel.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        long interval = channel[0] == 'c' ? 1000 : 100;
        return new FeedClock(interval, number * Step % interval);
    }

    /// <summary>The last message due at a time.</summary>
    /// <param name="unixMicros">Microseconds since 1970.</param>
    public long SequenceAt(long unixMicros) => (unixMicros / 1000 + OffsetMs) / IntervalMs;

    /// <summary>When a message is due, in microseconds since 1970.</summary>
    public long DueOf(long sequence) => (sequence * IntervalMs - OffsetMs) * 1000;
}
