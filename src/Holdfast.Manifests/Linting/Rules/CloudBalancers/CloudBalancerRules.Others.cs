using System.Globalization;
using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph.Hops;
using Holdfast.Manifests.Linting.Reading;

namespace Holdfast.Manifests.Linting.Rules.CloudBalancers;

/// <summary>Azure, DigitalOcean, IBM Cloud and Vultr: one annotation each.</summary>
internal static partial class CloudBalancerRules
{
    private const string AzureNoReset = Balancer.Prefix + "azure-load-balancer-disable-tcp-reset";
    private const int AzureMin = 4;
    private const int AzureMax = 100;
    private const int IbmMin = 50;
    private const int IbmMax = 7200;

    private static Rule AzureIdle => new()
    {
        Id = "HF-C07",
        Name = "azure-idle",
        Severity = Severity.Error,
        Summary = "azure-load-balancer-tcp-idle-timeout is not set, too short, or outside 4 to 100; or idle connections vanish without a reset",
        Why = "Azure's load balancer forgets a connection that was silent for 4 minutes. With azure-load-balancer-disable-tcp-reset it does so without a word: both sides keep a socket that leads nowhere. A value outside 4 to 100 makes the cloud provider refuse the Service.",
        Fix = "Set service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout: \"60\" (minutes), let the server ping every 30 s or less, and leave TCP resets on.",
        References =
        [
            "https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-tcp-idle-timeout", "https://learn.microsoft.com/en-us/azure/load-balancer/load-balancer-tcp-reset",
            "https://github.com/kubernetes-sigs/cloud-provider-azure/blob/master/pkg/provider/azure_loadbalancer.go",
        ],
        HasPatch = true,
        Check = CheckAzureIdle,
    };

    private static Rule DigitalOceanIdle => new()
    {
        Id = "HF-C08",
        Name = "do-idle",
        Severity = Severity.Warning,
        Summary = "a DigitalOcean load balancer that reads HTTP, with an idle time-out shorter than two pings",
        Why = "A regional DigitalOcean load balancer that reads HTTP closes connections that were silent for 60 s unless told otherwise.",
        Fix = "Set service.beta.kubernetes.io/do-loadbalancer-http-idle-timeout-seconds: \"3600\", or let it pass TCP on.",
        NotClaimed = "Nothing of those that pass TCP on, regional or network: the annotation is documented for HTTP, and for the others no time-out is.",
        References = ["https://github.com/digitalocean/digitalocean-cloud-controller-manager/blob/master/docs/controllers/services/annotations.md"],
        HasPatch = true,
        Check = context => CheckAnnotated(context, BalancerKind.DigitalOcean, BalancerHops.DigitalOceanIdle, Severity.Warning),
    };

    private static Rule IbmIdle => new()
    {
        Id = "HF-C09",
        Name = "ibm-idle",
        Severity = Severity.Error,
        Summary = "the idle time-out of an IBM Cloud VPC load balancer is not set, too short, or outside 50 to 7200",
        Why = "A VPC application load balancer closes connections that were silent for 50 s, unless the account has another default.",
        Fix = "Set service.kubernetes.io/ibm-load-balancer-cloud-provider-vpc-idle-connection-timeout: \"3600\" (50 to 7200 seconds; 0 is not taken).",
        NotClaimed = "Not of VPC network load balancers (feature nlb), and not where no annotation tells that the cluster is a VPC one. An account may have a longer default: then say so with an ignore.",
        References = ["https://cloud.ibm.com/docs/containers?topic=containers-setup_vpc_alb", "https://cloud.ibm.com/docs/openshift?topic=openshift-vpclb_manage"],
        HasPatch = true,
        Check = CheckIbmIdle,
    };

    private static Rule VultrIdle => new()
    {
        Id = "HF-C10",
        Name = "vultr-idle",
        Severity = Severity.Warning,
        Summary = "a Vultr load balancer keeps its idle time-out of 600 s although nothing pings often enough",
        Why = "Vultr's load balancer closes connections that were inactive for 600 s unless told otherwise.",
        Fix = "Let the server ping every minute or more often (and say so to the linter with holdfast.dev/ping-interval), or raise service.beta.kubernetes.io/vultr-loadbalancer-timeout.",
        NotClaimed = "No patch: how long it may be is not documented.",
        References = ["https://github.com/vultr/vultr-cloud-controller-manager/blob/master/docs/load-balancers.md", "https://www.vultr.com/api/#operation/create-load-balancer"],
        Check = context => CheckAnnotated(context, BalancerKind.Vultr, BalancerHops.VultrIdle, Severity.Warning, isPatched: false),
    };

    private static IEnumerable<Detection> CheckAzureIdle(LintContext context)
    {
        foreach (var incoming in Balancers(context, BalancerKind.Azure))
        {
            var service = incoming.Service;
            if (service.Annotation(AzureNoReset) is { AsBoolean: true } silent)
            {
                yield return new Detection(service, Place.Of(silent), "connections that Azure's load balancer forgets get no reset: client and server keep dead sockets until they write, and then wait for time-outs of TCP.")
                {
                    Severity = Severity.Warning,
                    Fix = "Remove azure-load-balancer-disable-tcp-reset.",
                    Patch = Edits.RemoveAnnotation(service, AzureNoReset),
                    Because = incoming.Signs,
                };
            }

            var wanted = Minutes(Wanted(incoming.Ping));
            if (service.Annotation(BalancerHops.AzureIdle) is { } set && set is not { AsInteger: >= AzureMin and <= AzureMax })
                yield return Refused(incoming, set, $"whole minutes from {AzureMin} to {AzureMax}", wanted);
            else if (incoming.IsTooShort && incoming.Hop!.Idle < TimeSpan.FromMinutes(AzureMax))
                yield return TooShort(incoming, BalancerHops.AzureIdle, Severity.Error, wanted);
        }
    }

    private static IEnumerable<Detection> CheckIbmIdle(LintContext context)
    {
        foreach (var incoming in Balancers(context, BalancerKind.IbmVpc).Where(i => i.Hop is not null))
        {
            var wanted = Seconds(Wanted(incoming.Ping) < TimeSpan.FromSeconds(IbmMax) ? Wanted(incoming.Ping) : TimeSpan.FromSeconds(IbmMax));
            if (incoming.Service.Annotation(BalancerHops.IbmIdle) is { } set && set is not { AsInteger: >= IbmMin and <= IbmMax })
                yield return Refused(incoming, set, $"whole seconds from {IbmMin} to {IbmMax}", wanted);
            else if (incoming.IsTooShort && incoming.Hop!.Idle < TimeSpan.FromSeconds(IbmMax))
                yield return TooShort(incoming, BalancerHops.IbmIdle, Severity.Error, wanted);
        }
    }

    private static IEnumerable<Detection> CheckAnnotated(LintContext context, BalancerKind kind, string annotation, Severity severity, bool isPatched = true) =>
        Balancers(context, kind).Where(i => i.IsTooShort).Select(i => TooShort(i, annotation, severity, isPatched ? Seconds(Wanted(i.Ping)) : null));

    private static Detection TooShort(Incoming incoming, string annotation, Severity severity, string? wanted)
    {
        var (service, hop) = (incoming.Service, incoming.Hop!);
        return new Detection(
            service,
            hop.At is { } at ? Place.Of(at) : Place.Of(service, "metadata", "annotations"),
            $"{Say(NameOf(annotation), hop.Idle!.Value, hop.At is not null)}: the {hop.Name} drops connections that were silent for longer, and {incoming.Ping.Say()}.")
        {
            Severity = Soften(severity, incoming.Ping, hop.At is not null),
            Patch = wanted is null ? null : Edits.SetAnnotation(service, annotation, wanted),
            Because = incoming.Signs,
        };
    }

    private static Detection Refused(Incoming incoming, Node set, string range, string wanted) =>
        new(incoming.Service, Place.Of(set), $"\"{set.Text}\" is not taken: it must be {range}. The load balancer is not changed, or never made.")
        {
            Patch = Edits.Replace($"set it to \"{wanted}\"", set, wanted, isText: true),
            Because = incoming.Signs,
        };

    private static string NameOf(string annotation) => annotation[(annotation.LastIndexOf('/') + 1)..];

    private static string Minutes(TimeSpan duration) => Math.Clamp(Math.Ceiling(duration.TotalMinutes), AzureMin, AzureMax).ToString("0", CultureInfo.InvariantCulture);
}
