using System.Globalization;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Events;
using Xunit;

namespace Holdfast.Tests.Events;

public class EventReaderTests
{
    [Fact]
    public void Every_event_is_either_taken_in_order_or_counted_as_lost_where_it_is_missing() => Prop.ForAll(
        Gen.Choose(-300, 300).ListOf().ToArbitrary(),
        steps =>
        {
            var reader = new EventReader();
            var (added, accounted) = (0, 0);
            // Above 0: so many come; below: so many are taken, if there are.
            foreach (var step in steps.Append(-100_000))
            {
                for (var i = 0; i < step; i++)
                    reader.Add(Numbered(added++));
                for (var i = 0; i > step && reader.TryTake(out var next); i--)
                {
                    if (next.Name == "lost")
                    {
                        var lost = JsonDocument.Parse(next.Json).RootElement.GetProperty("events").GetInt32();
                        Assert.True(lost > 0);
                        accounted += lost;
                    }
                    else
                    {
                        Assert.Equal(accounted++, int.Parse(Encoding.UTF8.GetString(next.Json), CultureInfo.InvariantCulture));
                    }
                }
            }

            Assert.Equal(added, accounted);
        }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(300));

    [Fact]
    public void Nothing_is_lost_to_a_reader_that_keeps_up_and_what_waits_is_bounded()
    {
        var reader = new EventReader();
        for (var i = 0; i < EventReader.Capacity; i++)
            reader.Add(Numbered(i));
        for (var i = 0; i < EventReader.Capacity; i++)
            Assert.True(reader.TryTake(out var next) && next.Name == "test");
        Assert.False(reader.TryTake(out _));

        for (var i = 0; i < 100_000; i++)
            reader.Add(Numbered(i));
        for (var i = 0; i < EventReader.Capacity; i++)
            Assert.True(reader.TryTake(out var next) && next.Name == "test");
        Assert.True(reader.TryTake(out var lost));
        Assert.Equal($$"""{"events":{{100_000 - EventReader.Capacity}}}""", Encoding.UTF8.GetString(lost.Json));
        Assert.False(reader.TryTake(out _));
    }

    private static GatewayEvent Numbered(int number) => new("test", Encoding.UTF8.GetBytes(number.ToString(CultureInfo.InvariantCulture)));
}
