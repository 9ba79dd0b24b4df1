using System.Globalization;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Hops;

namespace Holdfast.Manifests.Linting.Rules.Nginx;

/// <summary>The time-outs of nginx's proxy.</summary>
internal static partial class NginxRules
{
    private const string Read = "proxy-read-timeout";
    private const string Send = "proxy-send-timeout";
    private const string Connect = "proxy-connect-timeout";

    /// <summary>ngx_http_upstream_process_upgraded: runs for every byte in either direction and arms both timers anew.</summary>
    private const string Upgraded = "https://github.com/nginx/nginx/blob/release-1.27.1/src/http/ngx_http_upstream.c";

    private static Rule ReadTimeout => new()
    {
        Id = "HF-N02",
        Name = "nginx-read-timeout",
        Severity = Severity.Error,
        Summary = "proxy-read-timeout of an Ingress with WebSockets is not set, or shorter than two pings",
        Why = "nginx closes an upgraded connection on which no byte passed, in either direction, for proxy-read-timeout: 60 s unless set. A quiet chat loses its socket every minute, and reconnects.",
        Fix = "Set nginx.ingress.kubernetes.io/proxy-read-timeout: \"3600\" (seconds, without a unit), and let the server ping every 30 s or less, so that dead clients are still found.",
        NotClaimed = "Guides speak of 60 s without data from the server. Any byte counts, also one from the client: seen in nginx's source and on nginx 1.22.",
        References = [WebSocketDocs, AnnotationDocs + "#custom-timeouts", Upgraded],
        HasPatch = true,
        Check = CheckReadTimeout,
    };

    private static Rule SendTimeout => new()
    {
        Id = "HF-N03",
        Name = "nginx-send-timeout",
        Severity = Severity.Warning,
        Summary = "proxy-send-timeout of an Ingress with WebSockets is set shorter than the default of 60 s",
        Why = "nginx ends a connection when the application has not taken what a client sent for proxy-send-timeout. A garbage collection or a slow database then costs every socket with data waiting.",
        Fix = "Remove the annotation: the default of 60 s is enough.",
        NotClaimed = "Guides set it to 3600 as well, so that idle sockets stay open. It does nothing for them: nginx arms this timer only while a write is blocked (its source; an idle socket outlived a proxy-send-timeout of 2 s on nginx 1.22). An absent one is therefore not reported.",
        References = [Upgraded, WebSocketDocs],
        HasPatch = true,
        Check = CheckSendTimeout,
    };

    private static Rule TimeoutUnit => new()
    {
        Id = "HF-N04",
        Name = "nginx-timeout-unit",
        Severity = Severity.Error,
        Summary = "a proxy time-out of ingress-nginx has a unit or is no whole number",
        Why = "ingress-nginx reads these annotations as whole seconds. A value such as 3600s is refused with a line in its log, and the default holds: 60 s for reading.",
        Fix = "Write the number of seconds alone, in quotes: \"3600\".",
        References = ["https://github.com/kubernetes/ingress-nginx/blob/controller-v1.15.1/internal/ingress/annotations/proxy/main.go", AnnotationDocs + "#custom-timeouts"],
        HasPatch = true,
        Check = CheckTimeoutUnit,
    };

    private static IEnumerable<Detection> CheckReadTimeout(LintContext context)
    {
        foreach (var (ingress, entry, routes) in Ingresses(context))
        {
            var timeout = NginxTimeout.Of(ingress, entry, Read);
            var ping = routes.Select(r => r.Ping).MaxBy(p => p.RequiredIdle)!;
            // A value that is not read is the next rule's.
            if (timeout.Value >= ping.RequiredIdle || timeout.Rejected is not null)
                continue;
            var what = timeout.At is null ? $"{Read} is not set, so the default of {Durations.Say(timeout.Value)} holds" : $"{Read} is {Durations.Say(timeout.Value)}";
            yield return new Detection(
                ingress,
                timeout.At is { } at ? Place.Of(at) : Place.Of(ingress, "metadata", "annotations"),
                $"{what}: nginx closes a WebSocket after that time without a byte, and {ping.Say()}.")
            {
                // Without a declared ping a time-out that somebody chose may well suit the application.
                Severity = ping.Interval is null && timeout.At is not null ? Severity.Warning : null,
                Patch = Edits.SetAnnotation(ingress, NginxTimeout.Prefix + Read, Seconds(Max(ping.RequiredIdle, PingInterval.IdleWithoutPing))),
                Because = routes[0].Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckSendTimeout(LintContext context)
    {
        foreach (var (ingress, entry, routes) in Ingresses(context))
        {
            var timeout = NginxTimeout.Of(ingress, entry, Send);
            if (timeout.At is not { } at || timeout.Value >= NginxTimeout.Default)
                continue;
            yield return new Detection(ingress, Place.Of(at), $"{Send} is {Durations.Say(timeout.Value)}: nginx ends the WebSockets of an application that stops reading for so long.")
            {
                Patch = ReferenceEquals(at, Annotation(ingress, Send)) ? Edits.RemoveAnnotation(ingress, NginxTimeout.Prefix + Send) : null,
                Because = routes[0].Signs,
            };
        }
    }

    private static IEnumerable<Detection> CheckTimeoutUnit(LintContext context)
    {
        foreach (var (ingress, _, routes) in Ingresses(context))
        {
            foreach (var name in (string[])[Read, Send, Connect])
            {
                if (Annotation(ingress, name) is not { AsInteger: null } value)
                    continue;
                var meant = Durations.ParseNginx(value.AsText);
                yield return new Detection(ingress, Place.Of(value), $"{name}: \"{value.Text}\" is not a whole number of seconds; ingress-nginx ignores it and keeps its default.")
                {
                    // The other two matter only when something is wrong already.
                    Severity = name == Read ? null : Severity.Warning,
                    Fix = meant is { } seconds ? $"Write {name}: \"{Seconds(seconds)}\"." : null,
                    Patch = meant is { } known ? Edits.Replace($"set {name} to \"{Seconds(known)}\"", value, Seconds(known), isText: true) : null,
                    Because = routes[0].Signs,
                };
            }
        }
    }

    private static string Seconds(TimeSpan duration) => Math.Ceiling(duration.TotalSeconds).ToString("0", CultureInfo.InvariantCulture);

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
