namespace Holdfast.Gateway.Discovery;

/// <summary>
/// Finds the addresses of names. The seam behind which a DNS library may stand: getaddrinfo does not tell a name that does not exist from a
/// server that failed, nor half an answer from a whole one.
/// </summary>
internal interface INameResolver
{
    /// <summary>Never throws but for the cancellation: whatever goes wrong is an outcome. Ends by itself.</summary>
    /// <param name="name">Ending in a dot: absolute. Else the system's search domains apply.</param>
    /// <param name="found">
    /// The full name that answered before, or null. Names further down the search are then not asked: while this one is gone for a moment,
    /// a wildcard there would take its place.
    /// </param>
    Task<NameAnswer> LookUpAsync(string name, string? found, CancellationToken cancel);
}
