using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Admission;
using Xunit;

namespace Holdfast.Tests.Admission;

public sealed class FairQueueTests
{
    [Fact]
    public void Keys_take_turns_and_each_is_served_in_its_own_order()
    {
        var queue = new FairQueue();
        var a = Add(queue, 1, 3);
        var b = Add(queue, 2, 1);
        var c = Add(queue, 3, 2);
        QueuePlace[] expected = [a[0], b[0], c[0], a[1], c[1], a[2]];
        Assert.Equal(expected, Enumerable.Range(0, 6).Select(_ => queue.Take()));
        Assert.Null(queue.Next);
        Assert.Equal((0, 0), (queue.Count, queue.Flows));
    }

    [Fact]
    public void Whoever_waits_most_loses_its_newest_place_to_one_with_fewer()
    {
        var queue = new FairQueue();
        var greedy = Add(queue, 1, 5);
        _ = Add(queue, 2, 2);
        Assert.Same(greedy[4], queue.Evict(2));
        Assert.Same(greedy[3], queue.Evict(3));
        Assert.Null(queue.Evict(2));
        Assert.Null(queue.Evict(1));
        Assert.Same(greedy[2], queue.Evict(3));
        Assert.Null(new FairQueue().Evict(1));
    }

    [Fact]
    public void It_does_what_a_simple_model_does() => Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf()), static history =>
    {
        var queue = new FairQueue();
        var model = new List<(UInt128 Key, List<QueuePlace> Places)>();
        foreach (var step in history)
        {
            var random = new Random(step);
            var key = (UInt128)random.Next(5);
            var flow = model.FindIndex(f => f.Key == key);
            switch (random.Next(5))
            {
                case 0 or 1:
                    var place = new QueuePlace();
                    queue.Add(place, key);
                    if (flow < 0)
                        model.Add((key, [place]));
                    else
                        model[flow].Places.Add(place);
                    break;
                case 2 when model.Count > 0:
                    var first = model[0];
                    Assert.Same(first.Places[0], queue.Next);
                    Assert.Same(first.Places[0], queue.Take());
                    first.Places.RemoveAt(0);
                    model.RemoveAt(0);
                    if (first.Places.Count > 0)
                        model.Add(first);
                    break;
                case 3 when flow >= 0:
                    var leaver = model[flow].Places[random.Next(model[flow].Places.Count)];
                    queue.Remove(leaver);
                    model[flow].Places.Remove(leaver);
                    break;
                case 4:
                    var own = flow < 0 ? 0 : model[flow].Places.Count;
                    var longest = model.Count == 0 ? 0 : model.Max(f => f.Places.Count);
                    var evicted = queue.Evict(key);
                    Assert.Equal(longest > own + 1, evicted is not null);
                    if (evicted is not null)
                    {
                        var loser = model.Single(f => f.Places.Contains(evicted));
                        Assert.Equal(longest, loser.Places.Count);
                        Assert.Same(loser.Places[^1], evicted);
                        loser.Places.Remove(evicted);
                    }

                    break;
            }

            model.RemoveAll(f => f.Places.Count == 0);
            Assert.Equal((model.Sum(f => f.Places.Count), model.Count), (queue.Count, queue.Flows));
            Assert.Same(model.FirstOrDefault().Places?[0], queue.Next);
        }

        return true;
    }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(2_000).WithEndSize(150));

    private static QueuePlace[] Add(FairQueue queue, UInt128 key, int count)
    {
        QueuePlace[] places = [.. Enumerable.Range(0, count).Select(_ => new QueuePlace())];
        foreach (var place in places)
            queue.Add(place, key);
        return places;
    }
}
