using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Holdfast.Manifests.Linting.Reading;
using Holdfast.Manifests.Linting.Rules;

namespace Holdfast.Manifests.Linting.Output;

/// <summary>SARIF 2.1.0 (OASIS standard, with errata 01): one run, every rule described, suppressed findings included and marked.</summary>
internal static class SarifOutput
{
    public const string Schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

    private const string FingerprintKey = "holdfastLint/v1";

    public static string Write(LintResult result, string version)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, JsonOutput.Options))
        {
            json.WriteStartObject();
            json.WriteString("$schema", Schema);
            json.WriteString("version", "2.1.0");
            json.WriteStartArray("runs");
            json.WriteStartObject();
            WriteTool(json, version);
            json.WriteString("columnKind", "utf16CodeUnits");
            WriteInvocation(json, result);
            json.WriteStartArray("results");
            foreach (var finding in result.Findings.Concat(result.Suppressed))
                WriteResult(json, finding);
            json.WriteEndArray();
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    private static void WriteTool(Utf8JsonWriter json, string version)
    {
        json.WriteStartObject("tool");
        json.WriteStartObject("driver");
        json.WriteString("name", "holdfast lint");
        json.WriteString("version", version);
        json.WriteStartArray("rules");
        foreach (var rule in RuleCatalog.All)
        {
            json.WriteStartObject();
            json.WriteString("id", rule.Id);
            json.WriteString("name", rule.Name);
            WriteText(json, "shortDescription", rule.Summary);
            WriteText(json, "fullDescription", rule.Why);
            WriteText(json, "help", $"{rule.Why}\n\nFix: {rule.Fix}");
            json.WriteStartObject("defaultConfiguration");
            json.WriteString("level", Names.SarifLevel(rule.Severity));
            json.WriteEndObject();
            json.WriteString("helpUri", rule.References[0]);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>What could not be read is told as the standard wants it: as a notification of the run.</summary>
    private static void WriteInvocation(Utf8JsonWriter json, LintResult result)
    {
        json.WriteStartArray("invocations");
        json.WriteStartObject();
        json.WriteBoolean("executionSuccessful", true);
        json.WriteStartArray("toolExecutionNotifications");
        foreach (var problem in result.Problems)
        {
            json.WriteStartObject();
            json.WriteString("level", problem.IsFault ? "error" : "note");
            WriteText(json, "message", $"{problem.File}: {problem.Message}");
            if (problem.Line > 0 && problem.File != SourceText.StandardInput)
            {
                json.WriteStartArray("locations");
                json.WriteStartObject();
                WritePhysical(json, problem.File, problem.Line, problem.Column);
                json.WriteEndObject();
                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WriteResult(Utf8JsonWriter json, Finding finding)
    {
        json.WriteStartObject();
        json.WriteString("ruleId", finding.Rule.Id);
        json.WriteNumber("ruleIndex", RuleCatalog.All.TakeWhile(r => r != finding.Rule).Count());
        json.WriteString("level", Names.SarifLevel(finding.Severity));
        WriteText(json, "message", $"{finding.Object}: {finding.Message} Fix: {finding.Fix}" + (finding.Because is null ? "" : $" (WebSocket: {finding.Because}.)"));
        json.WriteStartArray("locations");
        json.WriteStartObject();
        var source = finding.At.Source;
        // Piped text is no file of the repository; the template it was rendered from is, but its lines are others.
        if (source.IsFile)
            WritePhysical(json, source.Name, finding.At.Line, finding.At.Column);
        else if (finding.Template is not null)
            WritePhysical(json, finding.Template, line: 0, column: 0);
        json.WriteStartArray("logicalLocations");
        json.WriteStartObject();
        json.WriteString("fullyQualifiedName", finding.Object);
        json.WriteString("kind", "object");
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteStartObject("partialFingerprints");
        json.WriteString(FingerprintKey, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{finding.Rule.Id}|{finding.Object}|{source.Name}"))));
        json.WriteEndObject();
        WriteFix(json, finding);
        if (finding.Suppressed is not null)
        {
            json.WriteStartArray("suppressions");
            json.WriteStartObject();
            json.WriteString("kind", finding.Suppressed.IsInSource ? "inSource" : "external");
            json.WriteString("justification", finding.Suppressed.Reason);
            json.WriteEndObject();
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteFix(Utf8JsonWriter json, Finding finding)
    {
        if (finding.Patch is not { } patch || patch.Edits.Any(e => !e.Source.IsFile))
            return;
        json.WriteStartArray("fixes");
        json.WriteStartObject();
        WriteText(json, "description", patch.Title);
        json.WriteStartArray("artifactChanges");
        foreach (var change in patch.Edits.GroupBy(e => e.Source))
        {
            json.WriteStartObject();
            WriteArtifact(json, change.Key.Name);
            json.WriteStartArray("replacements");
            foreach (var edit in change)
            {
                json.WriteStartObject();
                json.WriteStartObject("deletedRegion");
                json.WriteNumber("charOffset", edit.Start);
                json.WriteNumber("charLength", edit.End - edit.Start);
                json.WriteEndObject();
                WriteText(json, "insertedContent", edit.NewText);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndArray();
    }

    private static void WritePhysical(Utf8JsonWriter json, string file, int line, int column)
    {
        json.WriteStartObject("physicalLocation");
        WriteArtifact(json, file);
        if (line > 0)
        {
            json.WriteStartObject("region");
            json.WriteNumber("startLine", line);
            json.WriteNumber("startColumn", Math.Max(column, 1));
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static void WriteArtifact(Utf8JsonWriter json, string file)
    {
        json.WriteStartObject("artifactLocation");
        // A relative reference of RFC 3986: each segment escaped, and none that could be taken for a scheme.
        var uri = Path.IsPathRooted(file) ? new Uri(file).AbsoluteUri : string.Join('/', file.Split('/').Select(Uri.EscapeDataString));
        json.WriteString("uri", uri);
        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string key, string text)
    {
        json.WriteStartObject(key);
        json.WriteString("text", text);
        json.WriteEndObject();
    }
}
