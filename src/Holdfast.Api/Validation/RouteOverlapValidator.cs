using System.Globalization;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>
/// Two routes with one and the same match for a host, on one listener: the second can never be chosen. That is an error, not a warning, because it is
/// always a mistake, usually a copied route whose path was to be changed.
/// </summary>
internal static class RouteOverlapValidator
{
    public static void Validate(IReadOnlyList<RouteOptions> routes, FaultCollector faults)
    {
        var first = new Dictionary<string, Dictionary<string, int>>(StringComparer.Ordinal);
        for (var i = 0; i < routes.Count; i++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"routes[{i}]");
            if (IsDamaged(key, faults))
                continue;
            var conditions = Conditions(routes[i]);
            foreach (var host in routes[i].Hosts.Count == 0 ? [""] : routes[i].Hosts.Distinct(StringComparer.Ordinal))
            {
                if (!first.TryGetValue(host + conditions, out var taken))
                    first.Add(host + conditions, taken = new Dictionary<string, int>(StringComparer.Ordinal));
                if (Take(taken, routes[i].Listeners, i, out var listener) is not { } other)
                    continue;
                var shown = (host.Length == 0 ? "any host" : "host " + Printable.Quote(host)) + (listener.Length == 0 ? "" : " on listener " + Printable.Quote(listener));
                faults.Invalid(key, string.Create(CultureInfo.InvariantCulture,
                    $"can never be chosen for {shown}: routes[{other}] in line {faults.LineOf($"routes[{other}]")} has the same match; change or remove one"));
                break;
            }
        }
    }

    /// <summary>Takes a match on listeners for a route; the route that has it on one of them already, if there is one.</summary>
    /// <param name="taken">By listener; the empty name is all of them.</param>
    private static int? Take(Dictionary<string, int> taken, IReadOnlyList<string> listeners, int route, out string listener)
    {
        listener = "";
        if (taken.TryGetValue("", out var other))
        {
            listener = listeners.Count == 0 ? "" : listeners[0];
            return other;
        }

        if (listeners.Count == 0)
        {
            if (taken.Count == 0)
            {
                taken.Add("", route);
                return null;
            }

            (listener, other) = taken.MinBy(static t => t.Value);
            return other;
        }

        foreach (var name in listeners.Distinct(StringComparer.Ordinal))
        {
            if (taken.TryAdd(name, route))
                continue;
            listener = name;
            return taken[name];
        }

        return null;
    }

    private static bool IsDamaged(string key, FaultCollector faults) =>
        faults.IsDamaged(key + ".listeners") || faults.IsDamaged(key + ".hosts") || faults.IsDamaged(key + ".path") || faults.IsDamaged(key + ".headers")
        || faults.IsDamaged(key + ".query") || faults.IsDamaged(key + ".methods");

    /// <summary>Equal for equal matches, whatever the order of their parts. NUL and below separate: they cannot stand in a valid value.</summary>
    private static string Conditions(RouteOptions route)
    {
        var text = new StringBuilder();
        var path = route.Path.Kind == PathMatchKind.Prefix ? route.Path.Value.TrimEnd('/') : route.Path.Value;
        text.Append('\0').Append((int)route.Path.Kind).Append(path);
        Append(text, route.Methods);
        Append(text, route.Headers.Select(h => h.Name.ToLowerInvariant() + '\u0002' + h.Value));
        Append(text, route.Query.Select(q => q.Name + '\u0002' + q.Value));
        return text.ToString();
    }

    private static void Append(StringBuilder text, IEnumerable<string> parts)
    {
        text.Append('\0');
        foreach (var part in parts.Order(StringComparer.Ordinal))
            text.Append('\u0001').Append(part);
    }
}
