using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Rules;

namespace Holdfast.Manifests.Linting;

/// <summary>One thing found in one object.</summary>
internal sealed record Finding
{
    public required Rule Rule { get; init; }

    /// <summary>At most the rule's: what is only assumed weighs less.</summary>
    public required Severity Severity { get; init; }

    public required Place At { get; init; }

    /// <summary><c>Ingress shop/chat</c>.</summary>
    public required string Object { get; init; }

    /// <summary>The template that the object was rendered from, when the renderer says so.</summary>
    public string? Template { get; init; }

    /// <summary>What is wrong here and what it does to connections.</summary>
    public required string Message { get; init; }

    /// <summary>What to do.</summary>
    public required string Fix { get; init; }

    /// <summary>Why this is taken to be about WebSockets, for "because …"; null where that needs no reason.</summary>
    public string? Because { get; init; }

    /// <summary>Null: not mechanical.</summary>
    public Patch? Patch { get; init; }

    /// <summary>Null: it is reported.</summary>
    public Suppression? Suppressed { get; init; }
}

/// <summary>Why a finding is not reported.</summary>
/// <param name="IsInSource">By an annotation on the object; false: by the configuration.</param>
internal sealed record Suppression(string Reason, bool IsInSource);
