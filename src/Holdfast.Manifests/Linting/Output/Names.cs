namespace Holdfast.Manifests.Linting.Output;

/// <summary>How severities are written, in every format and on the command line.</summary>
internal static class Names
{
    public static string Of(Severity severity) => severity switch
    {
        Severity.Error => "error",
        Severity.Warning => "warning",
        _ => "advice",
    };

    /// <summary>SARIF has words of its own.</summary>
    public static string SarifLevel(Severity severity) => severity == Severity.Advice ? "note" : Of(severity);
}
