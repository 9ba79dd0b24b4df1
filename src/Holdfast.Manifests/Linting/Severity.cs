namespace Holdfast.Manifests.Linting;

/// <summary>How sure it is that connections drop. Ordered.</summary>
public enum Severity
{
    /// <summary>Worth knowing; drops nothing by itself.</summary>
    Advice,

    /// <summary>Connections drop in circumstances that are usual.</summary>
    Warning,

    /// <summary>Connections will drop, or never open.</summary>
    Error,
}
