using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Discovery;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.Limits;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Pairs;
using Holdfast.Testing.Tls;
using Xunit;

namespace Holdfast.Tests.Telemetry;

/// <summary>The reference pages list exactly what the code tells (DESIGN law 7).</summary>
public sealed partial class TelemetryDocsTests
{
    [Fact]
    public void Every_end_reason_has_its_row()
    {
        var expected = Enum.GetValues<EndReason>().Where(r => r != EndReason.None).Select(TelemetryNames.Of);
        Assert.Equal(expected.Order(StringComparer.Ordinal), Rows("end-reasons.md", "| reason | side |").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_side_of_an_end_is_named()
    {
        var page = Page("end-reasons.md");
        Assert.All(Enum.GetValues<EndSide>(), side => Assert.Contains('`' + TelemetryNames.Of(side) + '`', page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_handshake_outcome_has_its_row() => Assert.Equal(
        Enum.GetValues<HandshakeOutcome>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
        Rows("metrics.md", "| outcome | status sent |").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_outcome_of_a_request_has_its_row() => Assert.Equal(
        Enum.GetValues<RequestOutcome>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
        Rows("metrics.md", "| outcome of a request |").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_limit_has_its_row() => Assert.Equal(
        Enum.GetValues<LimitKind>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
        Rows("metrics.md", "| limit | reached when |").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_cause_and_outcome_of_a_rehome_has_its_row()
    {
        Assert.Equal(
            Enum.GetValues<RehomeCause>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
            Rows("metrics.md", "| cause | the endpoint |").Order(StringComparer.Ordinal));
        Assert.Equal(
            Enum.GetValues<RehomeOutcome>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
            Rows("metrics.md", "| outcome of a re-home |").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_outcome_of_a_health_check_has_its_row() => Assert.Equal(
        Enum.GetValues<CheckOutcome>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
        Rows("metrics.md", "| outcome | the endpoint |").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_reason_of_ill_health_is_named()
    {
        var page = Page("admin-api.md");
        Assert.All(Enum.GetValues<UnhealthyReason>(), reason => Assert.Contains('`' + TelemetryNames.Of(reason) + '`', page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_outcome_of_a_look_up_has_its_row() => Assert.Equal(
        Enum.GetValues<LookupOutcome>().Select(TelemetryNames.Of).Order(StringComparer.Ordinal),
        Rows("metrics.md", "| outcome of a look-up |").Order(StringComparer.Ordinal));

    [Fact]
    public void Every_phase_and_health_is_named()
    {
        var page = Page("metrics.md");
        Assert.All(Enum.GetValues<EndpointPhase>(), phase => Assert.Contains('`' + TelemetryNames.Of(phase) + '`', page, StringComparison.Ordinal));
        Assert.All(Enum.GetValues<EndpointHealth>(), health => Assert.Contains('`' + TelemetryNames.Of(health) + '`', page, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_metric_has_its_row_with_type_and_labels()
    {
        using var fixture = new TelemetryFixture(loops: 1);
        var endpoint = fixture.Chat.Endpoints[0];
        fixture.Telemetry.OnHandshakeEnded(fixture.Handshake(HandshakeOutcome.Upgraded, endpoint));
        fixture.Telemetry.OnHandshakeEnded(fixture.Handshake(HandshakeOutcome.QueueFull, endpoint));
        fixture.Telemetry.OnRequestEnded(new RequestRecord { Client = default, Outcome = RequestOutcome.Forwarded, Status = 200, HeadSeconds = 0.1, Backend = fixture.Chat, Endpoint = endpoint });
        fixture.Telemetry.OnPairEnded(fixture.End(EndReason.Shutdown, EndSide.Gateway, endpoint), fixture.Chat, endpoint);
        fixture.Telemetry.OnRehomed(fixture.Rehome(RehomeCause.Planned, RehomeOutcome.Completed, endpoint), fixture.Chat);
        fixture.Telemetry.OnChecked(fixture.Chat, CheckOutcome.Passed);
        fixture.Telemetry.OnLookup(fixture.Chat, LookupOutcome.Good);
        using var folder = new CertificateFolder();
        using var authority = new TestAuthority();
        var (certificate, key) = folder.Write("a", authority.Issue("a.example"));
        fixture.ListenTls("web", new CertificateFiles(certificate, key));
        fixture.Telemetry.OnTlsHandshakeFailed("web");
        fixture.Chat.Discovery = new DiscoveryStatus("chat", null, fixture.Runtime.StartedAt, null, null, 0, TimeSpan.Zero);
        var told = StrictMetricsParser.Parse(fixture.Scrape(MetricsFormat.Prometheus), false).Select(f =>
        {
            var labels = f.Samples[0].Labels.Select(l => l.Key).Where(k => k != "le").Select(k => '`' + k + '`');
            return $"`{(f.Type == "counter" ? f.Name + "_total" : f.Name)}` | {f.Type} | {string.Join(", ", labels)}".TrimEnd();
        });

        var page = Page("metrics.md").Split('\n').Where(l => MetricRow().IsMatch(l)).Select(l => string.Join(" | ", l.Split('|')[1..4].Select(c => c.Trim())).TrimEnd());

        Assert.Equal(told.Order(StringComparer.Ordinal), page.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_field_of_the_access_log_has_its_row()
    {
        var source = File.ReadAllText(Path.Combine(Root(), "src/Holdfast.Gateway/Telemetry/AccessLogLine.cs"));
        var written = Field().Matches(source).Select(m => m.Groups["code"].Value).Distinct(StringComparer.Ordinal);
        var page = Page("metrics.md");
        var rows = page[page.IndexOf("| field | in |", StringComparison.Ordinal)..].Split('\n').Skip(2).TakeWhile(l => l.StartsWith('|'))
            .SelectMany(l => Code().Matches(l.Split('|')[1]).Select(m => m.Groups["code"].Value));

        Assert.Equal(written.Order(StringComparer.Ordinal), rows.Order(StringComparer.Ordinal));
    }

    private static List<string> Rows(string page, string head)
    {
        var text = Page(page);
        return [.. text[text.IndexOf(head, StringComparison.Ordinal)..].Split('\n').Skip(2).TakeWhile(l => l.StartsWith('|'))
            .Select(l => Code().Match(l).Groups["code"].Value)];
    }

    private static string Page(string name) => File.ReadAllText(Path.Combine(Root(), "docs/reference", name));

    private static string Root([CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "../../.."));

    [GeneratedRegex("`(?<code>[^`]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Code();

    [GeneratedRegex("^\\| `(holdfast|process)_", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MetricRow();

    [GeneratedRegex("Write(String|Number)\\(\"(?<code>\\w+)\"u8", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Field();
}
