using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Draining;

/// <summary>Hears of drains as they begin and are cancelled, under the lock of whoever drains: must not wait.</summary>
internal interface IDrainObserver
{
    /// <summary>A cause began to hold, the first or one more; or an operator asked once more.</summary>
    void OnBegun(BackendState backend, EndpointState endpoint, DrainCause cause);

    /// <summary>The last cause ended.</summary>
    void OnCancelled(EndpointState endpoint);
}
