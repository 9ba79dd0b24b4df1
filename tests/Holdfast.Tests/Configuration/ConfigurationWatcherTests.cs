using System.Collections.Concurrent;
using System.Text;
using Holdfast.Gateway.Configuration;
using Holdfast.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Holdfast.Tests.Configuration;

/// <summary>The watcher over real files, with a clock that the test moves.</summary>
public sealed class ConfigurationWatcherTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _directory = Directory.CreateTempSubdirectory("holdfast-test-").FullName;
    private readonly SteppedTime _time = new();
    private readonly ConcurrentQueue<string> _judged = new();
    private ConfigurationWatcher? _watcher;
    private int _looks;

    private string File => Path.Combine(_directory, "gateway.yaml");

    [Fact]
    public async Task Without_notices_a_change_is_found_by_looking_from_time_to_time()
    {
        await StartAsync("a", notices: false);
        Assert.InRange(_time.Due!.Value - ConfigurationWatcher.Poll, TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        await LookAsync();
        Assert.Empty(_judged);

        Write("b");
        await LookAsync();
        Assert.Empty(_judged);
        Assert.InRange(_time.Due!.Value - ConfigurationWatcher.Stillness, TimeSpan.Zero, TimeSpan.FromMilliseconds(1));
        await LookAsync();
        Assert.Equal(["b"], _judged);
        await LookAsync();
        await LookAsync();
        Assert.Equal(["b"], _judged);
    }

    [Fact]
    public async Task What_changed_before_the_watch_began_is_found_at_once()
    {
        Write("a");
        var known = ConfigurationContent.Read(File).Identity;
        Write("b");
        await StartAsync(known, notices: false);
        await LookAsync();
        Assert.Equal(["b"], _judged);
    }

    [Fact]
    public async Task A_half_written_file_is_not_judged_before_it_is_whole()
    {
        await StartAsync("a", notices: false);
        Write("b, of which");
        await LookAsync();
        Write("b, of which the rest");
        await LookAsync();
        Write("b, of which the rest comes later");
        await LookAsync();
        Assert.Empty(_judged);
        await LookAsync();
        Assert.Equal(["b, of which the rest comes later"], _judged);
    }

    [Fact]
    public async Task A_file_that_is_gone_for_a_moment_is_no_news()
    {
        await StartAsync("a", notices: false);
        System.IO.File.Delete(File);
        await LookAsync();
        Write("a");
        await LookAsync();
        await LookAsync();
        Assert.Empty(_judged);
    }

    [Fact]
    public async Task What_stays_wrong_is_judged_once()
    {
        await StartAsync("a", notices: false);
        System.IO.File.Delete(File);
        for (var i = 0; i < 5; i++)
            await LookAsync();
        Assert.Equal(["!there is no such file"], _judged);
        Directory.CreateDirectory(File);
        for (var i = 0; i < 5; i++)
            await LookAsync();
        Assert.Equal(["!there is no such file", "!the file cannot be read: it is a directory"], _judged);
        Directory.Delete(File);
        Write("a");
        for (var i = 0; i < 5; i++)
            await LookAsync();
        Assert.Equal("a", _judged.Last());
        Assert.Equal(3, _judged.Count);
    }

    [Fact]
    public async Task Whoever_asks_need_not_wait()
    {
        await StartAsync("a", notices: false);
        Write("b");
        _watcher!.LookNow();
        await LookedAsync();
        Assert.Equal(["b"], _judged);
        _watcher.LookNow();
        await LookedAsync();
        Assert.Equal(["b", "b"], _judged);
    }

    public static TheoryData<string> Ways() => ["in place", "rename", "delete and create", "link to another file", "ConfigMap", "directory"];

    /// <summary>The clock never reaches the next look from time to time: notices alone must lead to the verdict.</summary>
    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Notices_tell_of_a_change_however_it_is_made(string way)
    {
        var volume = new ConfigMapVolume(_directory);
        if (way == "ConfigMap")
            volume.Write("gateway.yaml", "a");
        else if (way == "directory")
            Directory.CreateDirectory(File);
        else
            Write("a");
        await StartAsync(ConfigurationContent.Read(File).Identity, notices: true);
        switch (way)
        {
            case "in place":
                Write("b");
                break;
            case "rename":
                var other = Path.Combine(_directory, ".gateway.yaml.swp");
                System.IO.File.WriteAllText(other, "b");
                System.IO.File.Move(other, File, overwrite: true);
                break;
            case "delete and create":
                System.IO.File.Delete(File);
                Write("b");
                break;
            case "link to another file":
                System.IO.File.WriteAllText(Path.Combine(_directory, "b.yaml"), "b");
                System.IO.File.Delete(File);
                System.IO.File.CreateSymbolicLink(File, "b.yaml");
                break;
            case "ConfigMap":
                volume.Write("gateway.yaml", "b");
                break;
            default:
                Directory.Delete(File);
                Write("b");
                break;
        }

        await UntilJudgedAsync("b");
        Assert.Equal(["b"], _judged);
    }

    [Fact]
    public async Task A_directory_that_was_replaced_is_watched_again_from_the_next_look_on()
    {
        await StartAsync("a", notices: true);
        Directory.Move(_directory, _directory + ".old");
        Directory.CreateDirectory(_directory);
        Write("b");
        Directory.Delete(_directory + ".old", recursive: true);
        // The old directory's end may be a notice, and then only the change after this one is found by a look that had none.
        await UntilJudgedAsync("b", polls: true);
        Write("c");
        await UntilJudgedAsync("c", polls: true);
        Write("d");
        await UntilJudgedAsync("d");
        Assert.Equal(["b", "c", "d"], _judged);
    }

    [Fact]
    public async Task A_directory_with_other_busy_files_costs_one_look_in_a_while()
    {
        await StartAsync("a", notices: true);
        for (var i = 0; i < 500; i++)
            await System.IO.File.WriteAllTextAsync(Path.Combine(_directory, "other"), i.ToString(), TestContext.Current.CancellationToken);
        await Until(() => _time.Due < ConfigurationWatcher.Poll);
        // The clock stands still, and so the look that gathers all those notices has not come.
        Assert.Equal(_looks + 1, _time.Settings);
        Assert.Empty(_judged);
    }

    [Fact]
    public async Task Without_a_directory_there_are_no_notices_and_looks_go_on()
    {
        await StartAsync(ConfigurationContent.Read(Path.Combine(_directory, "later", "gateway.yaml")).Identity, notices: true, "later/gateway.yaml");
        await LookAsync();
        Directory.CreateDirectory(Path.Combine(_directory, "later"));
        await System.IO.File.WriteAllTextAsync(Path.Combine(_directory, "later", "gateway.yaml"), "b", TestContext.Current.CancellationToken);
        await LookAsync();
        await LookAsync();
        Assert.Equal(["b"], _judged);
        // The look that found it has found the directory to watch, too.
        await System.IO.File.WriteAllTextAsync(Path.Combine(_directory, "later", "gateway.yaml"), "c", TestContext.Current.CancellationToken);
        await UntilJudgedAsync("c");
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_watcher is not null)
            await _watcher.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    private static async Task Until(Func<bool> condition)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(5), limit.Token);
    }

    private void Write(string text) => System.IO.File.WriteAllText(File, text);

    private Task StartAsync(string known, bool notices)
    {
        Write(known);
        return StartAsync(ConfigurationContent.Read(File).Identity, notices);
    }

    private async Task StartAsync(ContentIdentity known, bool notices, string file = "gateway.yaml")
    {
        _watcher = new ConfigurationWatcher(
            Path.Combine(_directory, file),
            known,
            content =>
            {
                var fault = content.Identity.Unreadable;
                _judged.Enqueue(fault is null ? System.IO.File.ReadAllText(content.Path, Encoding.UTF8) : "!" + fault);
                return Task.CompletedTask;
            },
            _time,
            NullLogger.Instance,
            notices);
        _watcher.Start();
        await LookedAsync();
    }

    /// <summary>Lets the time come for the next look, and waits until it is over.</summary>
    private async Task LookAsync()
    {
        _time.AdvanceToTimer();
        await LookedAsync();
    }

    private async Task LookedAsync()
    {
        await Until(() => _time.Settings > _looks);
        _looks = _time.Settings;
    }

    /// <param name="polls">False: time passes only while the watcher wants to look soon, because of a notice.</param>
    private async Task UntilJudgedAsync(string content, bool polls = false)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (!_judged.Contains(content))
        {
            if (_time.Due is { } due && (polls || due <= ConfigurationWatcher.Stillness))
                _time.AdvanceToTimer();
            await Task.Delay(TimeSpan.FromMilliseconds(5), limit.Token);
        }
    }
}
