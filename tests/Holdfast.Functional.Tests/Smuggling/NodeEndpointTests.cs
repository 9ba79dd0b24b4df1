using System.Globalization;
using System.Net.Http.Json;
using Holdfast.Cli.Dev;
using Holdfast.Functional.Tests.Dev;
using Holdfast.Functional.Tests.Gateway;
using Holdfast.Testing;

namespace Holdfast.Functional.Tests.Smuggling;

/// <summary>A parser that many applications have, Node's, behind the gateway: of the cases that pass it sees the same requests as the suite's strict reader.</summary>
public sealed class NodeEndpointTests
{
    /// <summary>Of those that Node knows; a method of its own making it answers 400.</summary>
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"];

    [Fact]
    public async Task Node_sees_the_requests_that_the_gateway_saw()
    {
        if (Requires.Tool("node") is { } missing)
            Assert.Skip(missing);
        var lines = new Lines();
        var script = Path.Combine(Repository.Root, "tests", "Holdfast.Functional.Tests", "Smuggling", "node", "echo.js");
        await using var node = ChildProcess.Start(new ChildSpec("node", [script], new Dictionary<string, string>(StringComparer.Ordinal)), lines.Add, TimeProvider.System);
        var port = await lines.NumberAsync("port");
        await using var gateway = await GatewayProcess.StartAsync(new GatewaySetup { Endpoints = [port] });
        List<SmugglingCase> cases = [.. CaseCatalog.All.Where(static c => c.Steps.All(static s => s.Fate is Fate.Passed or Fate.PassedAndClosed && Methods.Contains(s.Method)))];
        Assert.True(cases.Count > 500, $"only {cases.Count} cases pass");
        var placement = new Placement('n', gateway.Address);

        await new SmugglingRun(placement, null).RunAsync(cases);

        using var http = new HttpClient();
        var seen = await http.GetFromJsonAsync<Dictionary<string, string[]>>(new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/seen")), TestContext.Current.CancellationToken);
        Assert.Equal(cases.Count, seen!.Count);
        var wrong = cases.Select((c, i) => (Case: c, Id: placement.IdOf(i))).Where(c => !Expected(c.Case, c.Id).SequenceEqual(seen[c.Id].Where(s => !s.Contains("/other ", StringComparison.Ordinal) && !s.Contains("/between ", StringComparison.Ordinal)))).Select(c => c.Case.ToString()).ToList();
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static IEnumerable<string> Expected(SmugglingCase @case, string id) =>
        @case.Steps.Select(s => RecordingEndpoint.EchoOf(s.Method, s.Target.Replace(Parts.Id, id, StringComparison.Ordinal), s.Body));
}
