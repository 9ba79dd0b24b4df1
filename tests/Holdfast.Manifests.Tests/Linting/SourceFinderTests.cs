using Holdfast.Manifests.Linting.Reading;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public sealed class SourceFinderTests : IDisposable
{
    private const string Object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_folder_is_searched_in_order_and_hidden_ones_are_not()
    {
        foreach (var name in (string[])["b.yml", "a.yaml", "c.json", "d.txt", "sub/x.YAML", ".git/y.yaml", "node_modules/z.yaml", ".hidden.yaml"])
            _folder.Write(name, Object);
        Directory.CreateSymbolicLink(Path.Combine(_folder.Path, "loop"), _folder.Path);
        Assert.Equal([".hidden.yaml", "a.yaml", "b.yml", "c.json", "sub/x.YAML"], Names(Find(_folder.Path)));
    }

    [Fact]
    public void A_file_named_twice_is_read_once()
    {
        var path = _folder.Write("a.yaml", Object);
        Assert.Single(Find(path, _folder.Path, Path.Combine(_folder.Path, ".", "a.yaml")).Sources);
    }

    [Fact]
    public void What_is_not_there_is_a_fault_of_the_command_line() => Assert.Equal("no/such: there is no such file or folder", Assert.Single(Find("no/such").BadPaths));

    [Fact]
    public void Templates_of_a_chart_are_told_once_and_not_parsed()
    {
        _folder.Write("chart/Chart.yaml", "name: chart\n");
        _folder.Write("chart/values.yaml", "a: 1\n");
        _folder.Write("chart/templates/a.yaml", "{{ if .Values.a }}\n" + Object + "{{ end }}\n");
        _folder.Write("chart/templates/deep/b.yaml", "a: {{ .Values.a }}\n");
        _folder.Write("chart/templates/plain.yaml", Object);
        var finder = Find(_folder.Path);
        var problem = Assert.Single(finder.Problems);
        Assert.Equal((Path.Combine(_folder.Path, "chart", "templates"), false), (problem.File, problem.IsFault));
        Assert.Contains($"helm template {Path.Combine(_folder.Path, "chart")}", problem.Message, StringComparison.Ordinal);
        Assert.Equal(["chart/Chart.yaml", "chart/values.yaml", "chart/templates/plain.yaml"], Names(finder));
    }

    [Fact]
    public void Text_that_is_not_UTF8_is_told()
    {
        File.WriteAllBytes(Path.Combine(_folder.Path, "a.yaml"), [0x61, 0x3A, 0x20, 0xFF, 0xFE]);
        Assert.Equal("the file is not UTF-8 text", Assert.Single(Find(_folder.Path).Problems).Message);
    }

    [Fact]
    public void A_named_pipe_in_a_folder_is_not_waited_for()
    {
        _folder.Write("a.yaml", Object);
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "linked.yaml"), Path.Combine(_folder.Path, "a.yaml"));
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "nowhere.yaml"), Path.Combine(_folder.Path, "no"));
        File.CreateSymbolicLink(Path.Combine(_folder.Path, "to-pipe.yaml"), Path.Combine(_folder.Path, "pipe.yaml"));
        using (var made = System.Diagnostics.Process.Start("mkfifo", [Path.Combine(_folder.Path, "pipe.yaml")]))
            made.WaitForExit();
        var finder = Find(_folder.Path);
        Assert.Equal(["a.yaml", "linked.yaml"], Names(finder));
        Assert.EndsWith("nowhere.yaml", Assert.Single(finder.Problems).File, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_over_32_MiB_is_told_and_not_read()
    {
        using (var file = File.Create(Path.Combine(_folder.Path, "a.yaml")))
            file.SetLength(SourceText.MaxBytes + 1L);
        var finder = Find(_folder.Path);
        Assert.Contains("larger than 32 MiB", Assert.Single(finder.Problems).Message, StringComparison.Ordinal);
        Assert.Empty(finder.Sources);
    }

    [Fact]
    public void Broken_YAML_that_is_no_manifest_concerns_nobody()
    {
        _folder.Write("workflow.yaml", "on: [push\n");
        _folder.Write("broken.yaml", Object + "data: [\n");
        _folder.Write("tsconfig.json", "{ // comment\n  \"a\": 1,\n");
        var (_, problems) = ManifestReader.Read(Find(_folder.Path).Sources);
        Assert.Equal([Path.Combine(_folder.Path, "broken.yaml")], problems.Select(p => p.File));
    }

    [Fact]
    public void Patches_of_a_kustomization_are_left_out_and_told()
    {
        _folder.Write("prod/kustomization.yaml", "resources: [../base]\npatches:\n- path: patches/replicas.yaml\n- patch: |-\n    - op: add\npatchesStrategicMerge:\n- grace.yaml\n");
        _folder.Write("prod/patches/replicas.yaml", Object);
        _folder.Write("prod/grace.yaml", Object);
        _folder.Write("prod/own.yaml", Object);
        _folder.Write("base/kustomization.yaml", "resources: [app.yaml]\n");
        _folder.Write("base/app.yaml", Object);
        var (documents, problems) = ManifestReader.Read(Find(_folder.Path).Sources);
        Assert.Equal(["base/app.yaml", "prod/own.yaml"], documents.Select(d => Path.GetRelativePath(_folder.Path, d.Source.Name)));
        var problem = Assert.Single(problems);
        Assert.Equal((Path.Combine(_folder.Path, "prod/kustomization.yaml"), false), (problem.File, problem.IsFault));
    }

    [Fact]
    public void What_is_piped_in_is_a_source_without_a_file()
    {
        using var input = new StringReader(Object);
        var finder = new SourceFinder(input);
        finder.Add("-");
        finder.Add("-");
        var source = Assert.Single(finder.Sources);
        Assert.Equal(("stdin", Object, false), (source.Text.Name, source.Text.Text, source.Text.IsFile));
    }

    private static SourceFinder Find(params string[] paths)
    {
        var finder = new SourceFinder(TextReader.Null);
        foreach (var path in paths)
            finder.Add(path);
        return finder;
    }

    private IEnumerable<string> Names(SourceFinder finder) => finder.Sources.Select(s => Path.GetRelativePath(_folder.Path, s.Text.Name));
}
