using Holdfast.Cli.Rehearse.Judging;
using Xunit;

namespace Holdfast.Tests.Rehearse;

public sealed class JournalReaderTests
{
    [Fact]
    public void Entries_are_read_in_the_order_of_the_file()
    {
        var journal = JournalReader.Read("replica-2.345.journal", "M 7 0 1000\nM 7 1 2000\nA 7 0 3000 150\n");
        Assert.Equal(("replica-2", 345), (journal.Replica, journal.ProcessId));
        Assert.Equal([new ReadEntry(7, 0, 1000), new ReadEntry(7, 1, 2000)], journal.Read);
        Assert.Equal([new AnsweredEntry(7, 0, 3000, 150)], journal.Answered);
    }

    /// <summary>A cut number would be another one: only a line with its end counts.</summary>
    [Theory]
    [InlineData("M 7 0 1000\nM 7 1 20")]
    [InlineData("M 7 0 1000\nM 7")]
    [InlineData("M 7 0 1000\n")]
    public void What_a_kill_has_cut_is_left_out(string text) => Assert.Single(JournalReader.Read("r.1.journal", text).Read);

    [Theory]
    [InlineData("r.1.journal", "M 7 0\n")]
    [InlineData("r.1.journal", "\n")]
    [InlineData("r.1.journal", "M 7 0 x\n")]
    [InlineData("r.1.journal", "B 7 0 1000\n")]
    [InlineData("r.journal", "")]
    [InlineData("r.x.journal", "")]
    public void Anything_else_is_an_error_and_no_loss(string name, string text) => Assert.Throws<FormatException>(() => JournalReader.Read(name, text));
}
