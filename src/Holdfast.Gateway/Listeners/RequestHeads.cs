using Microsoft.Extensions.ObjectPool;

namespace Holdfast.Gateway.Listeners;

/// <summary>Heads for requests that Kestrel serves: one while a request is under way, none for a connection at rest. Thread-safe.</summary>
internal static class RequestHeads
{
    /// <summary>Kept for later requests: some 6 KB each.</summary>
    private const int MostIdle = 256;

    /// <summary>Bytes of a head above which its object is not kept.</summary>
    private const int MostKept = 8 * 1024;

    private static readonly DefaultObjectPool<RequestHead> Pool = new(new Policy(), MostIdle);

    public static RequestHead Rent() => Pool.Get();

    /// <summary>Nobody looks at it any more.</summary>
    public static void Return(RequestHead head) => Pool.Return(head);

    private sealed class Policy : PooledObjectPolicy<RequestHead>
    {
        public override RequestHead Create() => new();

        public override bool Return(RequestHead obj) => obj.Capacity <= MostKept;
    }
}
