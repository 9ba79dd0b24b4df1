using Holdfast.Manifests.Linting.Rules.AcrossObjects;
using Holdfast.Manifests.Linting.Rules.Autoscaling;
using Holdfast.Manifests.Linting.Rules.Budgets;
using Holdfast.Manifests.Linting.Rules.CloudBalancers;
using Holdfast.Manifests.Linting.Rules.GatewayApi;
using Holdfast.Manifests.Linting.Rules.Istio;
using Holdfast.Manifests.Linting.Rules.Nginx;
using Holdfast.Manifests.Linting.Rules.Pods;
using Holdfast.Manifests.Linting.Rules.Probes;
using Holdfast.Manifests.Linting.Rules.Resources;
using Holdfast.Manifests.Linting.Rules.Services;
using Holdfast.Manifests.Linting.Rules.Traefik;

namespace Holdfast.Manifests.Linting.Rules;

/// <summary>Every rule. A family stands below its comment, in the order of the reference.</summary>
internal static class RuleCatalog
{
    public static readonly IReadOnlyList<RuleFamily> Families =
    [
        // HF-N: ingress-nginx
        NginxRules.Family,
        // HF-T: Traefik
        TraefikRules.Family,
        // HF-I: Istio
        IstioRules.Family,
        // HF-G: Gateway API and its controllers
        GatewayApiRules.Family,
        // HF-S: Services
        ServiceRules.Family,
        // HF-D: pods and their rollouts
        PodRules.Family,
        // HF-H: autoscaling
        AutoscalingRules.Family,
        // HF-P: PodDisruptionBudgets
        BudgetRules.Family,
        // HF-B: probes
        ProbeRules.Family,
        // HF-R: resources
        ResourceRules.Family,
        // HF-C: balancers of clouds
        CloudBalancerRules.Family,
        // HF-X: across objects
        AcrossObjectsRules.Family,
    ];

    public static readonly IReadOnlyList<Rule> All = [.. Families.SelectMany(f => f.Rules)];

    private static readonly Dictionary<string, Rule> ByKey = All.SelectMany(r => new[] { (Key: r.Id, Rule: r), (Key: r.Name, Rule: r) })
        .ToDictionary(r => r.Key, r => r.Rule, StringComparer.OrdinalIgnoreCase);

    /// <summary>By id or by name, in any case.</summary>
    public static Rule? Find(string idOrName) => ByKey.GetValueOrDefault(idOrName);
}
