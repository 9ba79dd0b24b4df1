using System.Globalization;
using Holdfast.Cli.Admin;
using Spectre.Console;

namespace Holdfast.Functional.Tests.Admin;

/// <summary>What <c>holdfast top</c> shows.</summary>
public sealed class TopScreenTests
{
    private static readonly DateTimeOffset At = new(2026, 11, 20, 10, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Each_endpoint_has_a_line_with_its_rates()
    {
        var view = View(Backend("chat", Endpoint("10.0.0.1:80", 3), Endpoint("10.0.0.2:80", 0, "draining")), Backend("prices", Endpoint("10.0.0.1:80", 1)));
        Assert.Equal(
            [
                "10:00:00 4 connections, 12.5 new/s",
                "10:00:00 chat/10.0.0.1:80 ready healthy: 3 connections, 2 new/s, 3 messages/s in, 4 out",
                "10:00:00 chat/10.0.0.2:80 draining healthy: 0 connections, 0 new/s, 0 messages/s in, 0 out",
                "10:00:00 prices/10.0.0.1:80 ready healthy: 1 connection, 0 new/s, 0 messages/s in, 0 out",
            ],
            TopLines.Of(view, At));
        var drawn = Draw(view, height: 40);
        Assert.Contains("connections 4   new per second 12.5", drawn, StringComparison.Ordinal);
        Assert.Contains("3 ████████████████ ", drawn, StringComparison.Ordinal);
        Assert.Contains("10.0.0.1:80 downstream_eof downstream, no code, lasted 1.5 s", drawn, StringComparison.Ordinal);
    }

    [Fact]
    public void Rehomes_are_told_once_there_were_any()
    {
        var view = View(Backend("chat", Endpoint("10.0.0.1:80", 3)));
        Assert.DoesNotContain("re-homed", Draw(view, height: 40), StringComparison.Ordinal);
        view = view with { Rehomes = new RehomeRate(40.25, 1234) };
        Assert.Equal("10:00:00 3 connections, 12.5 new/s, 1234 re-homed, 40.3/s", TopLines.Of(view, At).First());
        Assert.Contains("   re-homed 1,234, per second 40.3", Draw(view, height: 40), StringComparison.Ordinal);
    }

    [Fact]
    public void Status_tells_the_rehomes_of_all_backends()
    {
        var health = new HealthAnswer("running", "0.1", null, 7, 900, null, null, null, null);
        BackendAnswer[] backends = [Backend("chat") with { RehomedTotal = 1200 }, Backend("prices") with { RehomedTotal = 34 }];
        Assert.Equal("re-homes       1,234", StatusText.Of(health, backends, new Uri("http://admin/"), At).ElementAt(2));
        Assert.DoesNotContain(StatusText.Of(health, [Backend("chat")], new Uri("http://admin/"), At), l => l.Contains("re-homes", StringComparison.Ordinal));
    }

    [Fact]
    public void A_gateway_that_does_not_answer_is_told_in_place_of_numbers()
    {
        var view = AdminView.None with { Fault = "[red]gone\u001b[2J" };
        Assert.Equal(["10:00:00 [red]gone [2J"], TopLines.Of(view, At));
        var drawn = Draw(view, height: 40);
        Assert.Contains("[red]gone [2J", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', drawn);
    }

    [Fact]
    public void Names_from_elsewhere_are_neither_markup_nor_terminal_control()
    {
        var view = View(Backend("[bold]b\u0007", Endpoint("a\u001b[2J:1", 1, "[red]ready")));
        var drawn = Draw(view, height: 40);
        Assert.Contains("[bold]b ", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', drawn);
        Assert.All(TopLines.Of(view, At), l => Assert.DoesNotContain('\u001b', l));
    }

    [Fact]
    public void A_low_terminal_shows_the_busiest_and_how_many_it_leaves_out()
    {
        var view = View(Backend("chat", [.. Enumerable.Range(0, 100).Select(i => Endpoint(string.Create(CultureInfo.InvariantCulture, $"10.0.0.{i}:80"), i))]));
        var drawn = Draw(view, height: 24);
        Assert.True(drawn.TrimEnd('\n').Split('\n').Length <= 24, drawn);
        Assert.Contains("10.0.0.99:80", drawn, StringComparison.Ordinal);
        Assert.DoesNotContain("10.0.0.2:80", drawn, StringComparison.Ordinal);
        Assert.Matches("and 9[0-9] more", drawn);
    }

    private static AdminView View(params BackendAnswer[] backends) => new(
        null, backends, [new EndAnswer("a", At, "10.0.0.1:80", "10.9.9.9:1", "downstream_eof", "downstream", 0, 1500)],
        new Dictionary<EndpointKey, EndpointRates> { [new EndpointKey("chat", "10.0.0.1:80")] = new(2, 3, 4) }, new ConnectRate(12.5, [0, 1, 2]), default);

    private static BackendAnswer Backend(string name, params EndpointAnswer[] endpoints) => new(name, endpoints);

    private static EndpointAnswer Endpoint(string address, long connections, string phase = "ready") => new(address, phase, "healthy", connections, 0, 0, 0);

    private static string Draw(AdminView view, int height)
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(output) });
        console.Profile.Width = 120;
        console.Profile.Height = height;
        console.Write(new TopTable(console, new Uri("http://127.0.0.1:9090/"), TimeProvider.System).Draw(view));
        return output.ToString();
    }
}
