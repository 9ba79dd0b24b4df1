namespace Holdfast.Relay.Pairs;

internal static class PairViews
{
    public static PairView Of(in Pair pair, long now) => new()
    {
        Id = pair.Id,
        Client = pair.Client,
        BackendId = pair.Settings.BackendId,
        EndpointId = pair.Settings.EndpointId,
        AgeMs = now - pair.EstablishedAt,
        IdleMs = now - pair.LastRelayed,
        BytesFromClient = pair.Legs[0].BytesReceived,
        BytesFromEndpoint = pair.Legs[1].BytesReceived,
        MessagesFromClient = pair.Legs[0].MessagesReceived,
        MessagesFromEndpoint = pair.Legs[1].MessagesReceived,
        WaitingForClient = pair.Legs[0].Spill.Length,
        WaitingForEndpoint = pair.Legs[1].Spill.Length,
        Path = pair.Path,
    };
}
