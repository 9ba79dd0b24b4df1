using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Signs;

/// <summary>What a route itself says about WebSockets.</summary>
internal static class RouteSigns
{
    public static void AddFromPath(Route route)
    {
        if (LikelyWords.IsPath(route.Path))
            route.OwnSigns.Add(new Sign(false, $"{route.Object} routes the path {route.Path}", route.PathNode ?? route.Rule));
    }

    /// <summary>A match on <c>Upgrade: websocket</c>, in the form of Gateway API or of Istio.</summary>
    public static void AddFromHeader(Route route, string name, Node? value)
    {
        if (name.Equals("upgrade", StringComparison.OrdinalIgnoreCase) && value?.Text.Contains("websocket", StringComparison.OrdinalIgnoreCase) == true)
            route.OwnSigns.Add(new Sign(true, $"{route.Object} matches the header Upgrade: websocket", value));
    }
}
