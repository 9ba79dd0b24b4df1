using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Xunit;

namespace Holdfast.Tests.Architecture;

/// <summary>The arrows between projects point one way, and unsafe code stays in one folder.</summary>
public partial class ArrowTests
{
    /// <summary>What each project may use, directly or through another. A new project needs a row here.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Holdfast.Wire"] = [],
        ["Holdfast.Api"] = [],
        ["Holdfast.AspNetCore"] = [],
        ["Holdfast.Relay"] = ["Holdfast.Wire"],
        ["Holdfast.Kubernetes"] = ["Holdfast.Api"],
        ["Holdfast.Gateway"] = ["Holdfast.Wire", "Holdfast.Relay", "Holdfast.Api", "Holdfast.Kubernetes"],
        ["Holdfast.Manifests"] = ["Holdfast.Api", "Holdfast.Kubernetes"],
        ["Holdfast.Operator"] = ["Holdfast.Api", "Holdfast.Kubernetes", "Holdfast.Manifests"],
        ["Holdfast.Cli"] =
        [
            "Holdfast.Wire", "Holdfast.Relay", "Holdfast.Api", "Holdfast.Gateway", "Holdfast.Kubernetes", "Holdfast.Manifests", "Holdfast.Operator",
            "Holdfast.AspNetCore",
        ],
    };

    public static TheoryData<string> Projects() =>
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories).Select(p => Path.GetFileNameWithoutExtension(p)!)];

    [Fact]
    public void The_projects_are_found() => Assert.Superset(new HashSet<string> { "Holdfast.Wire", "Holdfast.Cli" }, Projects().Select(p => p.Data).ToHashSet());

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_file_references_only_what_the_arrows_allow(string project)
    {
        Assert.True(Allowed.ContainsKey(project), $"{project} has no row in this test");
        // Built and copied beside, but not referenced, is no arrow.
        var references = Load(project).Descendants("ProjectReference").Where(r => (string?)r.Attribute("ReferenceOutputAssembly") != "false").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/')));
        Assert.Empty(references.Except(Allowed[project], StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_compiled_assembly_references_only_what_the_arrows_allow(string project)
    {
        var references = AssemblyReferences(project).Where(r => r.StartsWith("Holdfast", StringComparison.OrdinalIgnoreCase));
        Assert.Empty(references.Except(Allowed[project], StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("Holdfast.Wire")]
    public void Wire_has_no_package_and_no_framework_beside_the_runtime(string project)
    {
        Assert.DoesNotContain(Load(project).Descendants(), e => e.Name.LocalName is "ProjectReference" or "PackageReference" or "FrameworkReference");
        Assert.All(AssemblyReferences(project), r => Assert.StartsWith("System.", r, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Only_the_relay_may_compile_unsafe_code(string project) =>
        Assert.Equal(project == "Holdfast.Relay", Load(project).Descendants("AllowUnsafeBlocks").Any(e => e.Value.Trim() == "true"));

    [Fact]
    public void Unsafe_code_and_native_calls_stay_in_the_relays_interop_folder()
    {
        var interop = Path.Combine("src", "Holdfast.Relay", "Interop") + Path.DirectorySeparatorChar;
        var offenders = Directory.GetFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.Root, path))
            .Where(path => !path.StartsWith(interop, StringComparison.Ordinal))
            .Where(path => IsNative(Repository.Read(path)));
        Assert.Empty(offenders);
    }

    [Theory]
    [InlineData("public unsafe void M() { }", true)]
    [InlineData("[LibraryImport(\"libc\")]", true)]
    [InlineData("[DllImport(\"libc\")]", true)]
    [InlineData("// the only unsafe code\nclass C;", false)]
    [InlineData("/* unsafe */ var s = \"unsafe\";", false)]
    [InlineData("NotUnsafe();", false)]
    public void The_search_for_unsafe_code_finds_code_and_nothing_else(string code, bool found) => Assert.Equal(found, IsNative(code));

    private static bool IsNative(string code) => Native().IsMatch(CommentOrString().Replace(code, ""));

    private static XDocument Load(string project) => XDocument.Load(Path.Combine(Repository.Root, "src", project, project + ".csproj"));

    private static string[] AssemblyReferences(string project)
    {
        var name = Load(project).Descendants("AssemblyName").FirstOrDefault()?.Value ?? project;
        var path = Path.Combine(AppContext.BaseDirectory, name + ".dll");
        Assert.True(File.Exists(path), $"{path} is not beside the tests: reference {project} from them");
        using var reader = new PEReader(File.OpenRead(path));
        var metadata = reader.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name))];
    }

    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/|""(?:[^""\\\n]|\\.)*""", RegexOptions.Singleline)]
    private static partial Regex CommentOrString();

    [GeneratedRegex(@"\bunsafe\b|\bDllImport\b|\bLibraryImport\b")]
    private static partial Regex Native();
}
