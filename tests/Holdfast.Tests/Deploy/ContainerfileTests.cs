using System.Xml.Linq;
using Holdfast.Testing;
using Holdfast.Testing.Manifests;
using Xunit;

namespace Holdfast.Tests.Deploy;

/// <summary>What a reading of the Containerfile tells: it agrees with the project file, the plain manifest and .dockerignore.</summary>
public sealed class ContainerfileTests
{
    private static readonly Containerfile File = Containerfile.Parse(Repository.Read("deploy", "container", "Containerfile"));
    private static readonly XDocument Project = XDocument.Parse(Repository.Read("src", "Holdfast.Cli", "Holdfast.Cli.csproj"));

    [Fact]
    public void The_image_is_without_a_shell_and_runs_as_a_number()
    {
        Assert.EndsWith("-chiseled", Only("FROM").Arguments, StringComparison.Ordinal);
        // The shell form of either would need one.
        Assert.DoesNotContain(File.Final, i => i.Keyword is "RUN" or "CMD" or "SHELL" or "HEALTHCHECK");
        Assert.Equal(["/app/holdfast"], Only("ENTRYPOINT").Exec());
        Assert.All(Only("USER").Arguments.Split(':'), id => Assert.True(int.Parse(id, System.Globalization.CultureInfo.InvariantCulture) > 0));
        Assert.Equal("SIGTERM", Only("STOPSIGNAL").Arguments);
    }

    [Fact]
    public void The_SDK_is_told_to_make_the_same_image()
    {
        Assert.Equal(Only("FROM").Arguments, Property("ContainerBaseImage"));
        Assert.Equal(Only("USER").Arguments, Property("ContainerUser"));
        Assert.Equal(Only("WORKDIR").Arguments, Property("ContainerWorkingDirectory"));
        Assert.Equal(Only("ENTRYPOINT").Exec(), [Item("ContainerAppCommand").Attribute("Include")!.Value]);
        Assert.Equal(Only("EXPOSE").Words, Item("ContainerPort").Attribute("Include")!.Value.Split(';'));
        var variable = Item("ContainerEnvironmentVariable");
        Assert.Equal(Only("ENV").Arguments, $"{variable.Attribute("Include")!.Value}={variable.Attribute("Value")!.Value}");
    }

    [Fact]
    public void The_plain_manifest_runs_it_as_it_is_made()
    {
        var pod = Manifest.OfRepository("deploy/plain/gateway.yaml").Single(m => m.Kind == "Deployment").Find("spec", "template", "spec")!;
        Assert.Equal(Only("USER").Arguments, pod.Text("securityContext", "runAsUser") + ":" + pod.Text("securityContext", "runAsGroup"));
        Assert.Equal(Only("EXPOSE").Words, pod.Items("containers", 0, "ports").Select(p => p.Text("containerPort")));
        Assert.Null(pod.Find("containers", 0, "command"));
    }

    [Fact]
    public void The_build_context_holds_what_is_copied_and_nothing_else()
    {
        var copied = File.Stages[0].Where(i => i.Keyword == "COPY").SelectMany(i => i.Words.SkipLast(1)).Select(w => w.TrimEnd('/')).ToArray();
        Assert.All(copied, path => Assert.True(Path.Exists(Path.Combine(Repository.Root, path)), path));
        Assert.Equal(
            copied.Order(StringComparer.Ordinal),
            Repository.Read(".dockerignore").Split('\n').Where(l => l.StartsWith('!')).Select(l => l[1..]).Order(StringComparer.Ordinal));
        Assert.Contains("*", Repository.Read(".dockerignore").Split('\n'));
    }

    [Fact]
    public void Continued_lines_comments_and_stages_are_understood()
    {
        var file = Containerfile.Parse("# first\nFROM a AS build\nRUN one \\\n  && two\n\n# second\nfrom b\nENTRYPOINT [\"x\", \"y z\"]\n");
        Assert.Equal(2, file.Stages.Count);
        Assert.Equal(new ContainerInstruction("RUN", "one && two"), file.Stages[0][1]);
        Assert.Equal("b", file.Final[0].Arguments);
        Assert.Equal(["x", "y z"], file.Final[1].Exec());
    }

    private static ContainerInstruction Only(string keyword) => File.Final.Single(i => i.Keyword == keyword);

    private static string Property(string name) => Project.Descendants(name).Single().Value;

    private static XElement Item(string name) => Project.Descendants(name).Single();
}
