using Holdfast.Api.Configuration;
using Xunit;

namespace Holdfast.Tests.Routing;

/// <summary>The table against the specification's own words: order every rule, take the first that matches.</summary>
public class RoutePrecedenceTests
{
    private static readonly string[] Hosts = ["a.com", "b.a.com", "c.b.a.com", "*.com", "*.a.com", "*.b.a.com", "other.org"];
    private static readonly string[] AskedHosts = ["a.com", "b.a.com", "c.b.a.com", "x.b.a.com", "x.y.a.com", "A.COM:80", "z.com.", "com", "", "other.org", "b.a.com:1"];
    private static readonly string[] Paths = ["/", "/a", "/a/", "/a/b", "/a/b/c", "/ab", "/b"];
    private static readonly string[] AskedPaths = ["/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/a/b/c/d", "/ab", "/abc", "/b", "/b//", "/c", "*"];
    private static readonly string[] Listeners = ["web", "tls"];
    private static readonly string[] Methods = ["GET", "PUT"];
    private static readonly string[] Names = ["x", "y", "z"];
    private static readonly string[] Values = ["1", "2"];

    [Fact]
    public void The_table_agrees_with_the_specifications_order()
    {
        var (matched, requests) = (0, 0);
        for (var seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            var routes = Enumerable.Range(0, random.Next(1, 25)).Select(_ => RandomRoute(random)).ToArray();
            var table = Tables.Build(routes);
            for (var i = 0; i < 150; i++)
            {
                var request = RandomRequest(random);
                var expected = Oracle(routes, request);
                Assert.True(expected == request.MatchedBy(table), $"seed {seed}: {request} should go to route {expected}");
                (matched, requests) = (matched + (expected >= 0 ? 1 : 0), requests + 1);
            }
        }

        Assert.InRange(matched, requests / 5, requests - (requests / 20));
    }

    private static int Oracle(RouteOptions[] routes, Request request) => routes
        .SelectMany((route, index) => (route.Hosts.Count == 0 ? [""] : route.Hosts).Select(host => (route, index, host)))
        .OrderByDescending(r => r.host.Length > 0 && r.host[0] != '*' ? r.host.Length : 0)
        .ThenByDescending(r => r.host.Length)
        .ThenByDescending(r => r.route.Path.Kind == PathMatchKind.Exact)
        .ThenByDescending(r => r.route.Path.Value.TrimEnd('/').Length)
        .ThenByDescending(r => r.route.Methods.Count > 0)
        .ThenByDescending(r => r.route.Headers.Count)
        .ThenByDescending(r => r.route.Query.Count)
        .ThenBy(r => r.index)
        .Where(r => Matches(r.route, r.host, request))
        .Select(r => r.index)
        .FirstOrDefault(-1);

    private static bool Matches(RouteOptions route, string host, Request request)
    {
        var asked = request.Host.Split(':')[0].TrimEnd('.').ToLowerInvariant();
        var hostMatches = host.Length == 0 || (host[0] == '*' ? asked.EndsWith(host[1..], StringComparison.Ordinal) && asked.Length > host.Length - 1 : asked == host);
        var pathMatches = route.Path.Kind == PathMatchKind.Exact
            ? request.Path == route.Path.Value
            : (request.Path + "/").StartsWith(route.Path.Value.TrimEnd('/') + "/", StringComparison.Ordinal);
        return hostMatches && pathMatches
            && (route.Listeners.Count == 0 || route.Listeners.Contains(request.Listener))
            && (route.Methods.Count == 0 || route.Methods.Contains(request.Method))
            && route.Headers.All(h => request.Headers.FirstOrDefault(g => g.Name.Equals(h.Name, StringComparison.OrdinalIgnoreCase)).Value == h.Value)
            && route.Query.All(q => request.Query.Split('&').Select(p => p.Split('=', 2)).FirstOrDefault(p => p[0] == q.Name) is { Length: 2 } p && p[1] == q.Value);
    }

    private static RouteOptions RandomRoute(Random random) => new()
    {
        Listeners = random.Next(6) == 0 ? [.. random.GetItems(Listeners, random.Next(1, 3)).Distinct()] : [],
        Hosts = random.Next(4) == 0 ? [] : [.. random.GetItems(Hosts, random.Next(1, 3)).Distinct()],
        Path = new PathMatch(random.Next(3) == 0 ? PathMatchKind.Exact : PathMatchKind.Prefix, Pick(random, Paths)),
        Methods = random.Next(3) == 0 ? [Pick(random, Methods)] : [],
        Headers = RandomMatches(random),
        Query = RandomMatches(random),
        Backends = [new WeightedBackend("b")],
    };

    private static Request RandomRequest(Random random)
    {
        var query = RandomMatches(random).Select(q => q.Name + "=" + q.Value);
        (string, string)[] headers = [.. RandomMatches(random).Select(h => (h.Name.ToUpperInvariant(), h.Value))];
        return new Request(Pick(random, AskedHosts), Pick(random, AskedPaths) + "?" + string.Join('&', query), Pick(random, Methods), headers) { Listener = random.Next(8) == 0 ? null : Pick(random, Listeners) };
    }

    private static NameValueMatch[] RandomMatches(Random random) =>
        [.. Names.Where(_ => random.Next(4) == 0).Select(n => new NameValueMatch(n, Pick(random, Values)))];

    private static string Pick(Random random, string[] from) => from[random.Next(from.Length)];
}
