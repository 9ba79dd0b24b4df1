using System.Net;
using Holdfast.Cli.Dev;

namespace Holdfast.Cli.Rehearse.Systems;

/// <summary>What stands between the clients and the replicas: Holdfast or a peer.</summary>
internal interface IFrontSystem : IAsyncDisposable
{
    string Name { get; }

    /// <summary>Where clients connect.</summary>
    IPEndPoint Address { get; }

    /// <summary>What it is told the replicas by.</summary>
    IEndpointNews News { get; }

    /// <summary>Why it cannot go on; null while it can.</summary>
    string? Failure { get; }

    /// <summary>Returns when it takes clients. Some replicas are listed.</summary>
    /// <exception cref="RehearseException">It does not come up.</exception>
    Task StartAsync(CancellationToken cancel);

    /// <summary>After all clients have left: how many messages of each connection it calls unknown; null: it does not tell.</summary>
    /// <param name="ends">How often each connection has ended.</param>
    Task<IReadOnlyDictionary<int, long>?> UnknownAsync(IReadOnlyDictionary<int, int> ends, CancellationToken cancel);
}
