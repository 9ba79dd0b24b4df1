using Holdfast.Cli.Load;
using Xunit;

namespace Holdfast.Tests.Load;

public sealed class LoadInputTests
{
    [Theory]
    [InlineData("10s", 10)]
    [InlineData("1.5m", 90)]
    [InlineData("500ms", 0.5)]
    [InlineData("1h", 3600)]
    [InlineData("30", 30)]
    public void Durations_are_read(string text, double seconds)
    {
        var options = Good with { Duration = text };
        Assert.Equal(TimeSpan.FromSeconds(seconds), options.Read([])!.Duration);
    }

    [Fact]
    public void Without_a_rate_each_connection_sends_once_a_second() =>
        Assert.Equal(100, Good.Read([])!.MessagesPerSecond);

    [Fact]
    public void All_faults_are_named_at_once()
    {
        var faults = new List<string>();
        var input = new LoadInput
        {
            Url = "http://x/",
            Connections = 0,
            Rate = -1,
            Duration = "soon",
            Size = 15,
            ConnectRate = 0,
            Headers = ["Upgrade: h2c", "no colon", "X-Ok: yes"],
            Sources = ["here"],
            Threads = 0,
        };
        Assert.Null(input.Read(faults));
        string[] names =
        [
            "URL", "--connections 0", "--rate -1", "--duration soon", "--size 15", "--connect-rate 0", "'Upgrade", "'no colon'", "--source here",
            "--threads 0",
        ];
        Assert.Equal(names.Length, faults.Count);
        Assert.All(names, name => Assert.Contains(faults, fault => fault.Contains(name, StringComparison.Ordinal)));
    }

    [Fact]
    public void Wss_is_refused_in_one_clear_sentence()
    {
        var faults = new List<string>();
        Assert.Null((Good with { Url = "wss://example.com/" }).Read(faults));
        Assert.Contains("TLS", Assert.Single(faults), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("X-Tenant", "a b", true)]
    [InlineData("X Tenant", "a", false)]
    [InlineData("X-Tenant", "a\r\nEvil: 1", false)]
    [InlineData("sec-websocket-key", "a", false)]
    [InlineData("", "a", false)]
    public void Headers_cannot_break_the_handshake(string name, string value, bool may) => Assert.Equal(may, ClientHandshake.MayAdd(name, value));

    private static LoadInput Good => new() { Url = "ws://127.0.0.1:1/" };
}
