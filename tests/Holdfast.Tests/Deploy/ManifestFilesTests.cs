using Holdfast.Api.Configuration;
using Holdfast.Testing;
using Holdfast.Testing.Manifests;
using Xunit;

namespace Holdfast.Tests.Deploy;

/// <summary>Every manifest that ships, and every block of YAML that a page shows, is valid as it stands.</summary>
public sealed class ManifestFilesTests
{
    /// <summary>Kinds of a cloud's own that no schema is at hand for. Their metadata is checked all the same.</summary>
    private static readonly string[] WithoutSchema = ["networking.gke.io/v1 GCPBackendPolicy", "networking.gke.io/v1 HealthCheckPolicy"];

    private static readonly SchemaCatalog Schemas = new(Repository.Schemas);

    public static TheoryData<string> Files() =>
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "deploy"), "*.yaml", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(Repository.Root, f))];

    /// <summary>A page, and the line of a block of YAML in it.</summary>
    public static TheoryData<string, int> Blocks()
    {
        var blocks = new TheoryData<string, int>();
        var pages = Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories);
        foreach (var page in pages.Select(p => Path.GetRelativePath(Repository.Root, p)).Append("README.md"))
        {
            foreach (var block in CodeBlock.Read(page).Where(IsForTheGatewayOrKubernetes))
                blocks.Add(block.Page, block.Line);
        }

        return blocks;
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void A_manifest_fits_its_schema(string file)
    {
        RequireSchemas();
        var faults = new List<SchemaFault>();
        Assert.NotEmpty(Manifest.Read(Repository.Read(file), file, faults));
        faults.AddRange(ManifestValidator.Validate(Repository.Read(file), file, Schemas));
        Assert.Empty(faults);
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public void A_block_of_yaml_is_a_valid_manifest_or_a_valid_gateway_configuration(string page, int line)
    {
        var block = CodeBlock.Read(page).Single(b => b.Line == line);
        if (!block.Text.Contains("apiVersion:", StringComparison.Ordinal))
        {
            // A page may show the part that matters.
            var text = block.Text.Contains("listeners:", StringComparison.Ordinal) ? block.Text : "listeners: [{name: web, address: \"127.0.0.1:0\"}]\n" + block.Text;
            Assert.Empty(ConfigurationReader.Read(text, page).Faults);
            return;
        }

        RequireSchemas();
        var faults = new List<SchemaFault>();
        var manifests = Manifest.Read(block.Text, page, faults, line - 1);
        Assert.NotEmpty(manifests);
        foreach (var manifest in manifests)
        {
            faults.AddRange(WithoutSchema.Contains($"{manifest.ApiVersion} {manifest.Kind}", StringComparer.Ordinal)
                ? ManifestValidator.ValidateMetadata(manifest, Schemas)
                : ManifestValidator.Validate(manifest, Schemas));
        }

        Assert.Empty(faults);
    }

    /// <summary>A block that names a hidden file is some tool's settings: the linter's tests read those.</summary>
    private static bool IsForTheGatewayOrKubernetes(CodeBlock block) =>
        block.Language is "yaml" or "yml" && !block.Text.StartsWith("# .", StringComparison.Ordinal);

    private static void RequireSchemas()
    {
        if (Requires.Schemas(Repository.Schemas) is { } missing)
            Assert.Skip(missing);
    }
}
