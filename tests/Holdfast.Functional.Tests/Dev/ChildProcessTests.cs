using System.Diagnostics;
using Holdfast.Cli.Dev;

namespace Holdfast.Functional.Tests.Dev;

public sealed class ChildProcessTests
{
    [Fact]
    public async Task A_child_gets_its_variables_and_its_output_comes_back_in_lines()
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(
            Processes.Shell("echo \"out=$PORT $HOLDFAST_REPLICA\"; echo err >&2; printf unfinished; exit 7", ("PORT", "5001"), ("HOLDFAST_REPLICA", "replica-2")),
            lines.Add, TimeProvider.System);

        Assert.Equal(7, await child.Exited);
        Assert.Equal(["err", "out=5001 replica-2", "unfinished"], lines.All.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_child_reads_nothing_from_the_terminal_and_has_no_children_it_did_not_start()
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(
            Processes.Shell("cat; echo children=$(cat /proc/$$/task/$$/children 2>/dev/null | wc -w)"), lines.Add, TimeProvider.System);

        Assert.Equal(0, await child.Exited);

        // The substitution's own subshell is there while it counts.
        Assert.InRange(await lines.NumberAsync("children"), 0, 1);
    }

    [Fact]
    public async Task Terminate_reaches_everything_the_child_started()
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(Processes.Shell("sleep 1000 & echo grandchild=$!; wait"), lines.Add, TimeProvider.System);
        var grandchild = await lines.NumberAsync("grandchild");
        Assert.True(Processes.IsAlive(grandchild));

        child.Terminate();

        Assert.Equal(128 + 15, await child.Exited);
        await Processes.UntilAsync(() => !Processes.IsAlive(grandchild), "the grandchild was gone");
    }

    [Fact]
    public async Task Kill_ends_what_ignores_every_other_signal()
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(
            Processes.Shell("trap '' TERM INT HUP; sleep 1000 & echo grandchild=$!; while :; do wait; done"), lines.Add, TimeProvider.System);
        var grandchild = await lines.NumberAsync("grandchild");
        child.Terminate();

        child.Kill();

        Assert.Equal(128 + 9, await child.Exited);
        await Processes.UntilAsync(() => !Processes.IsAlive(grandchild), "the grandchild was gone");
    }

    [Fact]
    public async Task What_a_child_leaves_behind_ends_with_it()
    {
        var lines = new Lines();
        await using var child = ChildProcess.Start(Processes.Shell("sleep 1000 & echo grandchild=$!; exit 0"), lines.Add, TimeProvider.System);

        Assert.Equal(0, await child.Exited);
        var grandchild = await lines.NumberAsync("grandchild");
        await Processes.UntilAsync(() => !Processes.IsAlive(grandchild), "the grandchild was gone");
    }

    [Fact]
    public async Task When_the_parent_dies_the_group_is_killed_and_the_directory_removed()
    {
        // A parent that holds the pipe, as this process would, and is killed outright.
        var directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
        var spec = Processes.Shell("trap '' TERM; sleep 1000 & echo child=$$ >&2; echo grandchild=$! >&2; wait") with { RemoveWhenOrphaned = directory };
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardError = true, UseShellExecute = false };
        foreach (var argument in (string[])["-c", "sh -c 'echo parent=$$ >&2; exec sleep 1000' | \"$@\"", "parent", .. ChildProcess.Command(spec)])
            start.ArgumentList.Add(argument);
        using var shell = Process.Start(start)!;
        var lines = new Lines();
        var reading = LineReader.ReadAllAsync(shell.StandardError, lines.Add);
        var parent = await lines.NumberAsync("parent");
        var child = await lines.NumberAsync("child");
        var grandchild = await lines.NumberAsync("grandchild");
        Assert.True(Processes.IsAlive(child) && Processes.IsAlive(grandchild) && Directory.Exists(directory));

        using (var holder = Process.GetProcessById(parent))
            holder.Kill();

        await Processes.UntilAsync(() => !Processes.IsAlive(child) && !Processes.IsAlive(grandchild), "the group was gone");
        Assert.False(Directory.Exists(directory));
        await shell.WaitForExitAsync();
        await reading;
    }

    [Fact]
    public async Task Output_without_line_ends_is_cut_into_bounded_lines()
    {
        var lines = new Lines();
        await LineReader.ReadAllAsync(new StringReader(new string('x', 10_000) + "\r\nend"), lines.Add);

        Assert.Equal([4096, 4096, 10_000 - 2 * 4096, 3], lines.All.Select(l => l.Length));
    }
}
