using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Holdfast.Functional.Tests.Showcase;

namespace Holdfast.Functional.Tests.Dev;

/// <summary><c>holdfast dev</c> as a user starts it: real replicas, the real gateway.</summary>
public sealed class DevCommandTests
{
    [Fact]
    public async Task The_page_comes_through_the_gateway_and_two_clients_chat()
    {
        await using var dev = DevProcess.Start("--replicas", "2");
        await dev.UntilReadyAsync(2);
        await dev.Lines.FirstAsync(l => l == string.Create(CultureInfo.InvariantCulture, $"open http://127.0.0.1:{dev.Port}/"));

        using var http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{dev.Port}/")) };
        Assert.Contains("<title>Chat", await http.GetStringAsync("/"), StringComparison.Ordinal);
        Assert.Contains("WebSocket", await http.GetStringAsync("/chat.js"), StringComparison.Ordinal);

        var (one, other) = await TwoOnOneReplicaAsync(dev);
        using (one)
        using (other)
        {
            await one.SayAsync("through the gateway");
            Assert.Equal("through the gateway", (string?)(await other.NextAsync("message"))["text"]);
            await other.SayAsync("and back");
            Assert.Equal("through the gateway", (string?)(await one.NextAsync("message"))["text"]);
            Assert.Equal("and back", (string?)(await one.NextAsync("message"))["text"]);
        }

        // What the table is drawn from: open connections, messages, and how the three ended.
        await dev.AdminUntilAsync("v1/ends?limit=9", json => json["ends"]!.AsArray().Count == 3);
        var backends = await dev.AdminUntilAsync("v1/backends", json => DevProcess.Endpoints(json).Sum(e => (int)e["connections"]!) == 0);
        Assert.Equal(3, DevProcess.Endpoints(backends).Sum(e => (int)e["openedTotal"]!));
        Assert.True(DevProcess.Endpoints(backends).Sum(e => (int)e["messagesToEndpoint"]!) >= 2);
    }

    [Fact]
    public async Task A_killed_replica_is_started_again_and_clients_come_back()
    {
        await using var dev = DevProcess.Start("--hold", "none", "--replicas", "2");
        await dev.UntilReadyAsync(2);
        using var person = await ChatPerson.JoinAsync(dev.Port, "Ana");
        var replica = (string)person.Welcome["replica"]!;
        var killed = dev.ProcessOf(replica);

        Kill(killed);

        var (code, _) = await person.UntilClosedAsync();
        Assert.Equal(1012, code);
        await dev.Lines.FirstAsync(l => l == replica + ": ended by signal 9 (SIGKILL)");

        // Another replica takes the client at once, whatever the first is doing.
        using (var back = await ChatPerson.JoinAsync(dev.Port, "Ana"))
        {
            await back.SayAsync("here again");
            Assert.Equal("here again", (string?)(await back.NextAsync("message"))["text"]);
        }

        await Processes.UntilAsync(() => dev.CountOf(replica + ": ready") == 2, "the replica was ready again");
        Assert.NotEqual(killed, dev.ProcessOf(replica));
        Assert.True(Processes.IsAlive(dev.ProcessOf(replica)));
        await dev.AdminUntilAsync("v1/ends?limit=9", json => json["ends"]!.AsArray().Any(e => (string?)e!["reason"] is "upstream_eof" or "upstream_reset"));

        // What was killed along the way leaves nothing either.
        dev.Terminate();
        Assert.Equal(0, await dev.ExitAsync());
        Assert.Empty(dev.TemporaryFiles());
    }

    [Fact]
    public async Task A_killed_gateway_is_started_again_on_the_same_port()
    {
        await using var dev = DevProcess.Start("--replicas", "1");
        await dev.UntilReadyAsync(1);

        Kill(dev.ProcessOf("gateway"));

        await Processes.UntilAsync(() => dev.CountOf("gateway: ready") == 2, "the gateway was ready again");
        using var person = await ChatPerson.JoinAsync(dev.Port, "Ana");
        Assert.Equal("replica-1", (string?)person.Welcome["replica"]);
    }

    [Fact]
    public async Task SIGTERM_ends_everything_with_exit_code_0()
    {
        await using var dev = DevProcess.Start("--replicas", "2");
        await dev.UntilReadyAsync(2);
        using var person = await ChatPerson.JoinAsync(dev.Port, "Ana");

        // The tool, two replicas, the gateway, and the guards of those three.
        Assert.True(dev.Descendants().Count >= 4);
        Assert.NotEmpty(dev.TemporaryFiles());

        dev.Terminate();

        Assert.Equal(0, await dev.ExitAsync());
        Assert.Empty(dev.Descendants());
        Assert.Empty(dev.TemporaryFiles());
        Assert.Equal("stopped", dev.Lines.All[^1]);
    }

    [Fact]
    public async Task SIGKILL_leaves_no_process_and_no_temporary_file()
    {
        await using var dev = DevProcess.Start("--replicas", "2");
        await dev.UntilReadyAsync(2);

        dev.Kill();

        Assert.Equal(128 + 9, await dev.ExitAsync());
        await Processes.UntilAsync(() => dev.Descendants().Count == 0, "everything had ended");
        Assert.Empty(dev.TemporaryFiles());
    }

    [Fact]
    public async Task A_port_in_use_is_told_with_exit_code_3()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        await using var dev = DevProcess.Start(port, Processes.FreePort());

        Assert.Equal(3, await dev.ExitAsync());
        Assert.Equal([string.Create(CultureInfo.InvariantCulture, $"holdfast: port {port} is in use; choose another with --port")], dev.Lines.All);
    }

    [Fact]
    public async Task An_application_that_cannot_be_run_says_why_and_is_tried_again()
    {
        await using var dev = DevProcess.Start("--replicas", "1", "--app", "no-such-program --serve");
        await Processes.UntilAsync(() => dev.CountOf("replica-1: starting") >= 2, "it was tried again");

        Assert.Contains("replica-1: exited with code 127 (command not found)", dev.Lines.All);
        Assert.Contains(dev.Lines.All, l => l.StartsWith("[replica-1]", StringComparison.Ordinal) && l.Contains("no-such-program", StringComparison.Ordinal));
        dev.Terminate();
        Assert.Equal(0, await dev.ExitAsync());
        Assert.Empty(dev.Descendants());
    }

    /// <summary>Three clients on two replicas: two of them share one. The third has left when this returns.</summary>
    private static async Task<(ChatPerson One, ChatPerson Other)> TwoOnOneReplicaAsync(DevProcess dev)
    {
        var people = new List<ChatPerson>();
        foreach (var name in (string[])["Ana", "Ben", "Cyd"])
            people.Add(await ChatPerson.JoinAsync(dev.Port, name));
        var pair = people.GroupBy(p => (string?)p.Welcome["replica"], StringComparer.Ordinal).Single(g => g.Count() >= 2).Take(2).ToList();
        foreach (var third in people.Except(pair))
            third.Dispose();
        return (pair[0], pair[1]);
    }

    private static void Kill(int id)
    {
        using var process = Process.GetProcessById(id);
        process.Kill();
    }
}
