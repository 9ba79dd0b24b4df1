using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Graph.Hops;

namespace Holdfast.Manifests.Linting.Output;

/// <summary>
/// One JSON object. <c>findings</c> is the contract: <c>id</c>, <c>severity</c>, <c>file</c>, <c>line</c>, <c>object</c>, <c>message</c> and
/// <c>fix</c> of each are stable; keys may be added.
/// </summary>
internal static class JsonOutput
{
    internal static readonly JsonWriterOptions Options = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(LintResult result)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteStartArray("findings");
            foreach (var finding in result.Findings)
                WriteFinding(json, finding);
            json.WriteEndArray();
            json.WriteStartArray("suppressed");
            foreach (var finding in result.Suppressed)
                WriteFinding(json, finding);
            json.WriteEndArray();
            json.WriteStartArray("problems");
            foreach (var problem in result.Problems)
            {
                json.WriteStartObject();
                json.WriteString("file", problem.File);
                json.WriteNumber("line", problem.Line);
                json.WriteNumber("column", problem.Column);
                json.WriteString("message", problem.Message);
                json.WriteBoolean("fault", problem.IsFault);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteNumber("objects", result.ObjectCount);
            json.WriteStartArray("workloads");
            foreach (var workload in result.Context.WebSocketWorkloads)
                WriteWorkload(json, workload, result.Context.Paths.Where(p => p.Workload == workload));
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }

    private static void WriteFinding(Utf8JsonWriter json, Finding finding)
    {
        json.WriteStartObject();
        json.WriteString("id", finding.Rule.Id);
        json.WriteString("name", finding.Rule.Name);
        json.WriteString("severity", Names.Of(finding.Severity));
        json.WriteString("file", finding.At.Source.Name);
        json.WriteNumber("line", finding.At.Line);
        json.WriteNumber("column", finding.At.Column);
        if (finding.Template is not null)
            json.WriteString("template", finding.Template);
        json.WriteString("object", finding.Object);
        json.WriteString("message", finding.Message);
        json.WriteString("fix", finding.Fix);
        if (finding.Because is not null)
            json.WriteString("because", finding.Because);
        if (finding.Patch is not null)
            json.WriteString("patch", finding.Patch.Title);
        if (finding.Suppressed is not null)
            json.WriteString("reason", finding.Suppressed.Reason);
        json.WriteEndObject();
    }

    private static void WriteWorkload(Utf8JsonWriter json, Workload workload, IEnumerable<ConnectionPath> paths)
    {
        json.WriteStartObject();
        json.WriteString("object", workload.ToString());
        json.WriteStartArray("signs");
        foreach (var sign in workload.Signs)
        {
            json.WriteStartObject();
            json.WriteString("text", sign.Text);
            json.WriteBoolean("declared", sign.IsDeclared);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        WriteSeconds(json, "pingSeconds", workload.Ping.Interval);
        json.WriteStartArray("paths");
        foreach (var path in paths)
        {
            json.WriteStartObject();
            json.WriteString("address", path.Route?.Address);
            json.WriteString("service", path.Service.ToString());
            WriteSeconds(json, "idleSeconds", path.Shortest?.Idle);
            json.WriteStartArray("hops");
            foreach (var hop in path.Hops)
            {
                json.WriteStartObject();
                json.WriteString("name", hop.Name);
                WriteSeconds(json, "idleSeconds", hop.Idle);
                WriteSeconds(json, "lifetimeSeconds", hop.Lifetime);
                json.WriteString("setting", hop.Setting);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSeconds(Utf8JsonWriter json, string key, TimeSpan? value)
    {
        if (value is { } duration)
            json.WriteNumber(key, duration.TotalSeconds);
        else
            json.WriteNull(key);
    }
}
