using Holdfast.Manifests.Linting.Settings;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class SettingsReaderTests
{
    [Fact]
    public void Everything_is_read()
    {
        var (settings, faults) = SettingsReader.Read("""
            assume: {pingInterval: 25s, drain: 1m, connectionsPerPod: 5000, handshakesPerSecond: 100}
            webSocket: [shop/chat]
            notWebSocket: [shop/api, shop/web]
            ignore:
            - {rules: [HF-N02, nginx-retired], objects: ["Ingress shop/*"], reason: "until May"}
            - {reason: "all of it"}
            """, "f");
        Assert.Empty(faults);
        Assert.Equal(new LintAssumptions { PingInterval = TimeSpan.FromSeconds(25), Drain = TimeSpan.FromMinutes(1), ConnectionsPerPod = 5000, HandshakesPerSecond = 100 }, settings.Assume);
        Assert.Equal(["shop/chat"], settings.WebSocket);
        Assert.Equal(["shop/api", "shop/web"], settings.NotWebSocket);
        Assert.Equal(["HF-N02", "nginx-retired"], settings.Ignore[0].Rules);
        Assert.Equal(("until May", 0, "all of it"), (settings.Ignore[0].Reason, settings.Ignore[1].Objects.Count, settings.Ignore[1].Reason));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing\n")]
    [InlineData("{}")]
    public void Nothing_is_the_default(string text)
    {
        var (settings, faults) = SettingsReader.Read(text, "f");
        Assert.Empty(faults);
        Assert.Equal(new LintAssumptions(), settings.Assume);
        Assert.Empty(settings.Ignore);
    }

    [Theory]
    [InlineData("assume: {pingInterval: often}", "f:1:24: assume.pingInterval: 'often' is not a duration")]
    [InlineData("assume: {pingInterval: 0s}", "must be longer than 0")]
    [InlineData("assume: {ping: 5s}", "did you mean `pingInterval`?")]
    [InlineData("websocket: [a/b]", "did you mean `webSocket`?")]
    [InlineData("webSocket: [chat]", "'chat' is not namespace/name")]
    [InlineData("webSocket: [a/b/c]", "'a/b/c' is not namespace/name")]
    [InlineData("ignore: [{rules: [HF-N2], reason: x}]", "write HF-N02")]
    [InlineData("ignore: [{rules: [nonsense], reason: x}]", "write for example HF-N02")]
    [InlineData("ignore: [{rules: [HF-N02]}]", "ignore[0].reason: is required")]
    [InlineData("- a", "must be a mapping")]
    [InlineData("a: [", "not valid YAML")]
    public void What_is_wrong_is_told_with_its_place(string text, string fault) =>
        Assert.Contains(SettingsReader.Read(text, "f").Faults, f => f.ToString().Contains(fault, StringComparison.Ordinal));
}
