using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

public sealed class LiveMessagesTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(1_000).WithEndSize(400);

    [Fact]
    public void It_holds_what_an_ordered_dictionary_holds_in_the_same_order() =>
        Prop.ForAll(Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf()), static history =>
        {
            var real = new LiveMessages();
            var model = new List<(string Key, string Message, byte Marks)>();
            foreach (var step in history)
            {
                Do(new Random(step), real, model);
                Compare(real, model);
            }
        }).Check(Runs);

    private static void Do(Random random, LiveMessages real, List<(string Key, string Message, byte Marks)> model)
    {
        var key = random.Next(40).ToString("x8", null);
        var message = new string('m', random.Next(3) == 0 ? random.Next(600) : random.Next(4));
        var at = model.FindIndex(entry => entry.Key == key);
        var found = real.Find(Encoding.UTF8.GetBytes(key));
        Assert.Equal(at < 0, found < 0);
        if (at < 0)
        {
            var marks = (byte)random.Next(256);
            model.Add((key, message, marks));
            real.Add(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(message), marks);
        }
        else if (random.Next(3) == 0)
        {
            model[at] = model[at] with { Message = message };
            real.SetMessage(found, Encoding.UTF8.GetBytes(message));
        }
        else if (random.Next(60) == 0)
        {
            // All at once, while they are walked.
            model.Clear();
            for (var i = 0; i < real.End; i++)
            {
                if (real.IsLive(i))
                    real.Remove(i);
            }
        }
        else
        {
            model.RemoveAt(at);
            real.Remove(found);
        }
    }

    private static void Compare(LiveMessages real, List<(string Key, string Message, byte Marks)> model)
    {
        Assert.Equal(model.Count, real.Count);
        var next = 0;
        for (var i = 0; i < real.End; i++)
        {
            if (!real.IsLive(i))
                continue;
            Assert.Equal(model[next], (Encoding.UTF8.GetString(real.KeyOf(i)), Encoding.UTF8.GetString(real.MessageOf(i)), real.MarksOf(i)));
            Assert.Equal(i, real.Find(real.KeyOf(i)));
            next++;
        }

        Assert.Equal(model.Count, next);
    }
}
