using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Admission;

/// <summary>Handshakes that have had their turn and wait for one endpoint. Under its queue's lock.</summary>
/// <param name="endpoint">Null: any would do.</param>
internal sealed class EndpointLine(EndpointState? endpoint)
{
    public EndpointState? Endpoint { get; } = endpoint;

    public LinkedList<QueuePlace> Places { get; } = new();

    /// <summary>Places that were let go on from here and have no slot at the endpoint yet: its room is theirs.</summary>
    public int Granted { get; set; }

    public bool IsNeeded => Places.Count > 0 || Granted > 0;
}
