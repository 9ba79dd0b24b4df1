namespace Holdfast.Cli.Dev;

/// <summary>What <c>holdfast dev</c> was asked for.</summary>
/// <param name="App">A shell command that starts one replica; null: the Showcase.</param>
/// <param name="Replicas">At first: 1 to <see cref="MaxReplicas"/>.</param>
/// <param name="Port">Where the gateway takes clients, on 127.0.0.1.</param>
/// <param name="AdminPort">Where the gateway's admin API answers, on 127.0.0.1.</param>
/// <param name="HealthPath">A path whose 2xx means ready; null: ready when the port accepts.</param>
/// <param name="Late">The gateway hears of a replica's end when it is over, not when it begins.</param>
/// <param name="ConfigFile">The gateway's routes and backends; null: everything to the replicas.</param>
/// <param name="Hold">How clients stay connected; without <paramref name="ConfigFile"/>, which says so itself. Null: they do not.</param>
internal sealed record DevOptions(
    string? App, int Replicas, int Port, int AdminPort, string? HealthPath, bool Late = false, string? ConfigFile = null, DevHold? Hold = null)
{
    internal const int MaxReplicas = 50;

    public Uri Address => new($"http://127.0.0.1:{Port}/");

    public Uri AdminAddress => new($"http://127.0.0.1:{AdminPort}/");
}
