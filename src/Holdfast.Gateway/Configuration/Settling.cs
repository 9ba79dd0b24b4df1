namespace Holdfast.Gateway.Configuration;

/// <summary>
/// Decides when a file's content is worth judging: once for every content, and only when it has stood still for a while, since a file that is
/// written in place is seen half-written. Pure; times are since any one moment.
/// </summary>
/// <param name="stillness">How long a content must not have changed.</param>
/// <param name="poll">When to look again while nothing happens.</param>
/// <param name="judged">The content already dealt with.</param>
internal sealed class Settling(TimeSpan stillness, TimeSpan poll, ContentIdentity judged)
{
    private ContentIdentity _judged = judged;
    private ContentIdentity? _candidate;
    private TimeSpan _since;

    /// <summary>Tells what a look at the file has seen. True: judge it now.</summary>
    /// <param name="asked">Whoever asks says that the file is whole, and wants to hear about it even if it has not changed.</param>
    /// <param name="next">When to look again, if nothing tells of a change before.</param>
    public bool Offer(ContentIdentity seen, TimeSpan now, bool asked, out TimeSpan next)
    {
        next = poll;
        if (asked || (_candidate == seen && now - _since >= stillness))
        {
            (_judged, _candidate) = (seen, null);
            return true;
        }

        if (seen == _judged)
        {
            _candidate = null;
            return false;
        }

        if (_candidate != seen)
            (_candidate, _since) = (seen, now);
        next = stillness - (now - _since);
        return false;
    }
}
