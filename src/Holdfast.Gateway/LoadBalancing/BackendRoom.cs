namespace Holdfast.Gateway.LoadBalancing;

/// <summary>What room a backend's endpoints have. Endpoints that could serve are those that are ready and healthy; without any, all that are healthy.</summary>
internal static class BackendRoom
{
    /// <summary>
    /// Handshakes that could begin now; <see cref="int.MaxValue"/>: any number, also where no endpoint could serve, so that nobody waits for what is not there. An endpoint
    /// that has as many connections as it may has no slot; when all have, theirs count nevertheless, so that who waits is told.
    /// </summary>
    public static int FreeSlots(this BackendState backend)
    {
        var most = backend.Options.Handshakes.InFlightPerEndpoint;
        if (most == 0)
            return int.MaxValue;
        var connections = backend.Options.Limits.ConnectionsPerEndpoint;
        var (serving, free, slots, isFull) = (0, 0, 0, true);
        var phase = PhaseInService(backend);
        foreach (var endpoint in backend.Endpoints)
        {
            if (!Serves(endpoint, phase))
                continue;
            serving++;
            var slotsHere = Math.Max(0, most - endpoint.Handshakes);
            slots += slotsHere;
            var room = connections == 0 ? int.MaxValue : connections - endpoint.InUse;
            if (room <= 0)
                continue;
            isFull = false;
            free += Math.Min(slotsHere, room);
        }

        return serving == 0 ? int.MaxValue : isFull ? slots : free;
    }

    /// <summary>Whether every endpoint that could serve has as many connections as it may; without any: no.</summary>
    public static bool IsFull(this BackendState backend)
    {
        var most = backend.Options.Limits.ConnectionsPerEndpoint;
        if (most == 0)
            return false;
        var serving = false;
        var phase = PhaseInService(backend);
        foreach (var endpoint in backend.Endpoints)
        {
            if (!Serves(endpoint, phase))
                continue;
            if (endpoint.InUse < most)
                return false;
            serving = true;
        }

        return serving;
    }

    /// <summary>How many handshakes need not wait for this endpoint any longer: it has slots for so many; or any number, since it will not serve them.</summary>
    public static int SlotsAt(this BackendState backend, EndpointState endpoint)
    {
        var most = backend.Options.Handshakes.InFlightPerEndpoint;
        return most == 0 || endpoint.Phase == EndpointPhase.Gone || endpoint.Health != EndpointHealth.Healthy ? int.MaxValue : most - endpoint.Handshakes;
    }

    /// <summary>The best phase that a healthy endpoint is in.</summary>
    private static EndpointPhase PhaseInService(BackendState backend)
    {
        var best = EndpointPhase.Gone;
        foreach (var endpoint in backend.Endpoints)
        {
            if (endpoint.Health != EndpointHealth.Healthy || endpoint.Phase == EndpointPhase.Gone)
                continue;
            if (endpoint.Phase == EndpointPhase.Ready)
                return EndpointPhase.Ready;
            if (best == EndpointPhase.Gone || endpoint.Phase == EndpointPhase.Draining)
                best = endpoint.Phase;
        }

        return best;
    }

    private static bool Serves(EndpointState endpoint, EndpointPhase phase) =>
        phase != EndpointPhase.Gone && endpoint.Phase == phase && endpoint.Health == EndpointHealth.Healthy;
}
