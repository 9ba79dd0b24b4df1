using System.Globalization;
using System.Net;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>Names, and addresses that the kernel would not let be bound together.</summary>
internal static class ListenerValidator
{
    public static void Validate(GatewayConfiguration configuration, FaultCollector faults)
    {
        var listeners = configuration.Listeners;
        if (listeners.Count == 0)
            faults.Invalid("listeners", "at least one listener is needed; write for example [{name: web, address: 0.0.0.0:8080}]");

        var names = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < listeners.Count; i++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"listeners[{i}]");
            var listener = listeners[i];
            if (!Syntax.IsName(listener.Name, 63))
                faults.Invalid(key + ".name",
                    $"{Printable.Quote(listener.Name)} is not a name; at most 63 letters, digits, '-', '_' and '.', for example web");
            else if (!names.TryAdd(listener.Name, i))
                faults.Invalid(key + ".name",
                    string.Create(CultureInfo.InvariantCulture,
                        $"the name '{listener.Name}' is taken by listeners[{names[listener.Name]}]; names are unique"));

            if (listener.Tls is { } tls)
                TlsValidator.Validate(tls, key + ".tls", faults);

            for (var j = 0; j < i; j++)
            {
                if (!Collide(listener.Address, listeners[j].Address))
                    continue;
                faults.Invalid(key + ".address",
                    string.Create(CultureInfo.InvariantCulture,
                        $"{listener.Address} collides with listeners[{j}] on {listeners[j].Address}; give each its own port"));
                break;
            }

            if (Collide(listener.Address, configuration.Admin.Address) && !faults.IsDamaged("admin.address"))
                faults.Invalid(key + ".address",
                    $"{listener.Address} collides with admin.address {configuration.Admin.Address}; give each its own port");
        }
    }

    /// <summary>
    /// Equal, or one of them is the same family's any-address. Whether [::] also takes IPv4 is the host's setting, so the families are not
    /// compared. Port 0 is a different free port each time.
    /// </summary>
    private static bool Collide(IPEndPoint a, IPEndPoint b) =>
        a.Port == b.Port && a.Port != 0 && a.AddressFamily == b.AddressFamily && (a.Address.Equals(b.Address) || IsAny(a.Address) || IsAny(b.Address));

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
