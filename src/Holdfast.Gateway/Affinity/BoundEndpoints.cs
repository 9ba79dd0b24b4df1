using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Affinity;

/// <summary>Finds the endpoints of a snapshot by the tags in cookies. Immutable, thread-safe.</summary>
internal sealed class BoundEndpoints
{
    private readonly EndpointState[] _endpoints;
    private readonly ulong[] _tags;
    private readonly int _listed;

    public BoundEndpoints(AffinityPlan plan, EndpointState[] endpoints, EndpointState[] leaving)
    {
        (_endpoints, _listed) = (plan.IsByCookie ? [.. endpoints, .. leaving] : [], endpoints.Length);
        _tags = Array.ConvertAll(_endpoints, plan.TagOf);
    }

    /// <summary>
    /// The endpoint that a request's session is bound to, if it could serve: healthy, and not tried before. Null: there is none.
    /// </summary>
    /// <param name="isPreferred">It is ready, or drains and keeps the session; else it is as good as any other of its phase.</param>
    public EndpointState? Find(in PickRequest request, out bool isPreferred)
    {
        isPreferred = false;
        var index = request.Key.Tag == 0 ? -1 : Array.IndexOf(_tags, request.Key.Tag);
        if (index < 0)
            return null;
        var endpoint = _endpoints[index];
        if (endpoint.Health != EndpointHealth.Healthy || request.Excluded.Contains(endpoint.Id))
            return null;
        isPreferred = endpoint.Phase == EndpointPhase.Ready || endpoint.Keeps(request.Key.Turn, request.NowMs);
        return isPreferred || index < _listed ? endpoint : null;
    }
}
