using System.Globalization;

namespace Holdfast.Bench.Peers;

/// <summary>
/// The configuration after so many changes, the same for each system: routes, limits and a spare backend's endpoints change every time, the
/// loaded backend gains an endpoint once, and once a backend leaves with its endpoint.
/// </summary>
/// <param name="Number">From 1 on; 0: at the start.</param>
/// <param name="Of">All changes of the run.</param>
/// <param name="Endpoints">Of the load; the last one joins after a quarter of the changes.</param>
/// <param name="Leaving">The endpoint that leaves after half of the changes.</param>
/// <param name="StopAfter">Seconds that the peers' old processes may live on after a reload; null: without end, their default.</param>
internal sealed record ConfigurationChange(int Number, int Of, IReadOnlyList<string> Endpoints, string Leaving, int? StopAfter)
{
    /// <summary>In the templates' names.</summary>
    public const string Kind = "changes.";

    /// <summary>A path that this change brings and the next takes away.</summary>
    public string Path => string.Create(CultureInfo.InvariantCulture, $"/change/{Number}");

    private bool HasLeft => Number > Of / 2;

    public string Fill(string system, string template)
    {
        var endpoints = Number > Of / 4 ? Endpoints : [.. Endpoints.SkipLast(1)];
        var spare = Enumerable.Range(1, 1 + (Number % 7)).Select(n => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{n + (Number % 30)}"));
        var routes = new List<(string Path, string Backend)> { (Path, "echo") };
        routes.AddRange(Enumerable.Range(0, Number * 7 % 50).Select(n => (string.Create(CultureInfo.InvariantCulture, $"/unused/{n}"), "spare")));
        var backends = new List<(string Name, IReadOnlyList<string> Endpoints)> { ("spare", [.. spare]) };
        if (!HasLeft)
        {
            routes.Add(("/leaving", "leaving"));
            backends.Add(("leaving", [Leaving]));
        }

        return template
            .Replace("{{endpoints}}", PeerConfiguration.ListOf(system, endpoints), StringComparison.Ordinal)
            .Replace("{{limit}}", (8000 + Number).ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{{stop}}", StopOf(system), StringComparison.Ordinal)
            .Replace("{{routes}}", string.Join('\n', routes.Select(r => RouteOf(system, r.Path, r.Backend))), StringComparison.Ordinal)
            .Replace("{{leaving}}", string.Join('\n', backends.Select(b => BackendOf(system, b.Name, PeerConfiguration.ListOf(system, b.Endpoints)))), StringComparison.Ordinal);
    }

    private static string RouteOf(string system, string path, string backend) => system switch
    {
        Peer.Nginx => $"location {path} {{ proxy_pass http://{backend}; }}",
        Peer.Haproxy => $"    use_backend {backend} if {{ path_beg {path} }}",
        _ => $"  - {{path: {{prefix: {path}}}, backend: {backend}}}",
    };

    private static string BackendOf(string system, string name, string endpoints) => system switch
    {
        Peer.Nginx => $"upstream {name} {{ {endpoints} }}",
        Peer.Haproxy => $"backend {name}\n    {endpoints}\n",
        _ => $"  {name}: {{endpoints: [{endpoints}]}}",
    };

    private string StopOf(string system) => StopAfter is not { } seconds ? "" : system switch
    {
        Peer.Nginx => string.Create(CultureInfo.InvariantCulture, $"worker_shutdown_timeout {seconds}s;"),
        Peer.Haproxy => string.Create(CultureInfo.InvariantCulture, $"hard-stop-after {seconds}s"),
        _ => "",
    };
}
