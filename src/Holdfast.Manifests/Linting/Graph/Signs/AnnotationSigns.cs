using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph.Signs;

/// <summary>What the annotations of a route's object say about WebSockets; read once for all its routes.</summary>
internal sealed class AnnotationSigns
{
    /// <summary>The idle time-out that guides set for WebSockets; uploads rarely need an hour.</summary>
    private static readonly TimeSpan LongIdle = TimeSpan.FromHours(1);

    /// <summary>More would make no finding clearer.</summary>
    private const int MaxSigns = 4;

    private readonly List<Sign> _signs = [];
    private readonly List<(HashSet<string> Services, string Key, Node At)> _named = [];

    public AnnotationSigns(KubernetesObject item)
    {
        foreach (var entry in item.Annotations?.Entries ?? [])
        {
            if (entry.Key.Text.EndsWith("/websocket-services", StringComparison.Ordinal))
                _named.Add((entry.Value.Text.Split(',', StringSplitOptions.TrimEntries).ToHashSet(StringComparer.Ordinal), entry.Key.Text, entry.Value));
            else if (_signs.Count < MaxSigns && Judge(item, entry.Key.Text, entry.Value) is { } sign)
                _signs.Add(sign);
        }
    }

    public void AddTo(Route route)
    {
        route.OwnSigns.AddRange(_signs);
        foreach (var (services, key, at) in _named)
        {
            if (services.Contains(route.ServiceName))
                route.OwnSigns.Add(new Sign(true, $"{key} of {route.Object} names {route.ServiceName}", at));
        }
    }

    private static Sign? Judge(KubernetesObject item, string key, Node value)
    {
        if (key == Sign.Annotation)
            return value.Text == "true" ? new Sign(true, $"{item} says {Sign.Annotation}: \"true\"", value) : null;
        var name = key[(key.LastIndexOf('/') + 1)..];
        if (name.Contains("websocket", StringComparison.OrdinalIgnoreCase) && value.Text is not ("false" or "off" or ""))
            return new Sign(true, $"{item} has the annotation {key}", value);
        if ((name.EndsWith("-snippet", StringComparison.Ordinal) || name.EndsWith("-snippets", StringComparison.Ordinal))
            && value.Text.Contains("upgrade", StringComparison.OrdinalIgnoreCase))
        {
            return new Sign(false, $"the {name} of {item} speaks of Upgrade", value);
        }

        if (name is "proxy-read-timeout" && Durations.ParseNginx(value.Text) >= LongIdle)
            return new Sign(false, $"{item} has a proxy-read-timeout of {value.Text}", value);
        // HAProxy's time-out of upgraded connections, in the annotations of its three controllers.
        return name is "timeout-tunnel" ? new Sign(false, $"{item} sets {key}", value) : null;
    }
}
