using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Configuration;
using Xunit;

namespace Holdfast.Tests.Configuration;

public sealed class SettlingTests
{
    private static readonly TimeSpan Stillness = TimeSpan.FromMilliseconds(200), Poll = TimeSpan.FromSeconds(10);

    private static readonly Gen<(int Content, int After, bool Asked)[]> Looks = (
        from content in Gen.Choose(0, 3)
        from after in Gen.Choose(0, 300)
        from asked in Gen.Choose(0, 9)
        select (content, after, asked == 0)).ArrayOf();

    private readonly Settling _settling = new(Stillness, Poll, Content(0));

    [Fact]
    public void The_known_content_is_not_judged()
    {
        Assert.False(Offer(0, 0, out var next));
        Assert.Equal(Poll, next);
    }

    [Fact]
    public void A_new_content_is_judged_once_when_it_has_stood_still()
    {
        Assert.False(Offer(1, 0, out var next));
        Assert.Equal(Stillness, next);
        Assert.False(Offer(1, 150, out next));
        Assert.Equal(TimeSpan.FromMilliseconds(50), next);
        Assert.True(Offer(1, 200, out next));
        Assert.Equal(Poll, next);
        Assert.False(Offer(1, 500, out next));
        Assert.Equal(Poll, next);
    }

    [Fact]
    public void A_content_that_grows_is_not_judged_before_it_stops()
    {
        for (var i = 1; i < 20; i++)
            Assert.False(Offer(i, i * 199, out _));
        Assert.False(Offer(20, 4000, out _));
        Assert.True(Offer(20, 4200, out _));
    }

    [Fact]
    public void A_content_that_goes_back_to_the_known_one_was_nothing()
    {
        Assert.False(Offer(1, 0, out _));
        Assert.False(Offer(0, 100, out var next));
        Assert.Equal(Poll, next);
        // And starts anew when it comes again.
        Assert.False(Offer(1, 250, out next));
        Assert.Equal(Stillness, next);
    }

    [Fact]
    public void Whoever_asks_gets_a_verdict_at_once_even_on_the_known_content()
    {
        Assert.True(_settling.Offer(Content(0), TimeSpan.Zero, asked: true, out _));
        Assert.True(_settling.Offer(Content(1), TimeSpan.Zero, asked: true, out _));
        Assert.False(Offer(1, 1000, out _));
    }

    [Fact]
    public void Why_a_file_is_unreadable_is_a_part_of_its_content()
    {
        Assert.False(_settling.Offer(new ContentIdentity("0", "it is a directory"), TimeSpan.Zero, asked: false, out _));
        Assert.True(_settling.Offer(new ContentIdentity("0", "it is a directory"), Stillness, asked: false, out _));
    }

    /// <summary>Against the plainest statement of what it does, over the whole history.</summary>
    [Fact]
    public void Whatever_is_seen_only_what_stood_still_is_judged_and_never_twice_in_a_row() =>
        Prop.ForAll(Arb.From(Looks), looks =>
        {
            var settling = new Settling(Stillness, Poll, Content(0));
            var (now, judged, first, last) = (0, 0, 0, 0);
            foreach (var (content, after, asked) in looks)
            {
                now += after;
                // Since when each look has seen this content.
                if (content != last)
                    (first, last) = (now, content);
                // A content that was judged may become a candidate again only by going away in between.
                var expected = asked || (content != judged && now - first >= Stillness.TotalMilliseconds);
                if (settling.Offer(Content(content), TimeSpan.FromMilliseconds(now), asked, out var next) != expected)
                    return false;
                if (expected)
                    judged = content;
                if (next != (content == judged ? Poll : TimeSpan.FromMilliseconds(first + Stillness.TotalMilliseconds - now)))
                    return false;
            }

            return true;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2_000));

    private static ContentIdentity Content(int number) => new(number.ToString(), null);

    private bool Offer(int content, int at, out TimeSpan next) => _settling.Offer(Content(content), TimeSpan.FromMilliseconds(at), asked: false, out next);
}
