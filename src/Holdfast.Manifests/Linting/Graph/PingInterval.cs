using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Graph;

/// <summary>How often an application makes its connections carry something.</summary>
/// <param name="Interval">Null: nothing says that it does.</param>
/// <param name="IsDeclared">By an annotation; false: assumed for all by the configuration of the linter.</param>
internal sealed record PingInterval(TimeSpan? Interval, bool IsDeclared, Node? At)
{
    /// <summary>On a workload, its pods, or its Service: a Go duration such as <c>25s</c>.</summary>
    public const string Annotation = "holdfast.dev/ping-interval";

    /// <summary>
    /// How long a connection may stay silent before a hop closes it, when nothing says that the application pings: what ingress-nginx' own
    /// documentation asks for WebSockets.
    /// </summary>
    public static readonly TimeSpan IdleWithoutPing = TimeSpan.FromHours(1);

    public static readonly PingInterval Unknown = new(null, false, null);

    /// <summary>The least idle time-out of a hop that does not close connections: two pings, so that one may be lost.</summary>
    public TimeSpan RequiredIdle => Interval is { } interval ? interval * 2 : IdleWithoutPing;

    /// <summary>For a message: <c>the declared ping interval is 45 s</c>.</summary>
    public string Say() => Interval is not { } interval ? $"nothing declares a ping interval ({Annotation})"
        : (IsDeclared ? "the declared ping interval is " : "the assumed ping interval is ") + Durations.Say(interval);
}
