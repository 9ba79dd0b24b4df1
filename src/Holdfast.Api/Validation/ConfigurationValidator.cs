using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>What must hold of the records whatever filled them. Each concern has its validator; all of them run.</summary>
internal static class ConfigurationValidator
{
    public static void Validate(GatewayConfiguration configuration, FaultCollector faults)
    {
        // With so many faults already, values are missing everywhere and a validator's word would be worth little.
        if (faults.IsFull)
            return;
        ListenerValidator.Validate(configuration, faults);
        AdminValidator.Validate(configuration.Admin, faults);
        RouteValidator.Validate(configuration, faults);
        RouteOverlapValidator.Validate(configuration.Routes, faults);
        BackendValidator.Validate(configuration.Backends, faults);
        AdmissionValidator.Validate(configuration, faults);
        HoldValidator.ValidateTotal(configuration.BufferTotal, faults);
    }
}
