namespace Holdfast.Manifests.Linting.Output;

/// <summary>How a report is written.</summary>
public enum LintFormat
{
    /// <summary>For people.</summary>
    Text,

    /// <summary>One object: <c>{"findings": […], …}</c>.</summary>
    Json,

    /// <summary>SARIF 2.1.0, which code hosts show beside the changed lines.</summary>
    Sarif,
}
