using System.Text;
using Holdfast.Manifests.Linting.Reading;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class ReadingTests
{
    private const string Object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

    [Fact]
    public void A_value_keeps_its_line_column_and_extent()
    {
        var root = Root("# head\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: 'a b'   # tail\n  labels: {x: \"1\"}\n");
        var name = root.At("metadata", "name")!;
        Assert.Equal((5, 9, "'a b'", ScalarForm.SingleQuoted), (name.Line, name.Column, Written(name), name.Form));
        var labels = root.At("metadata", "labels")!;
        Assert.Equal((6, 11, "{x: \"1\"}", true), (labels.Line, labels.Column, Written(labels), labels.IsFlow));
    }

    [Theory]
    [InlineData("a: |\n  one\n  two\n\nb: 1\n", "|\n  one\n  two")]
    [InlineData("a:\n  x: >-\n    one\n\n  # c\n  y: 2\nb: 1\n", "x: >-\n    one\n\n  # c\n  y: 2")]
    [InlineData("a:\n- one\n-   two  # c\nb: 1\n", "- one\n-   two")]
    [InlineData("a: [1,\n  2]\nb: 1", "[1,\n  2]")]
    [InlineData("a: 😀 x\nb: 1", "😀 x")]
    [InlineData("a: one\r\nb: 1\r\n", "one")]
    public void A_value_ends_where_its_text_ends(string text, string written) => Assert.Equal(written, Written(Root(Object + text)["a"]!));

    [Fact]
    public void Documents_are_told_apart_and_know_their_lines()
    {
        var documents = Read("# one\n---\n" + Object + "---\n# only a comment\n---\n" + Object + "...\n%YAML 1.2\n---\n" + Object).Documents;
        Assert.Equal([3, 9, 15], documents.Select(d => d.Line));
    }

    [Fact]
    public void A_marker_inside_a_line_cuts_nothing()
    {
        var document = Assert.Single(Read(Object + "data:\n  a: |\n    ---\n    x\n  b: \"--- y\"\n----: z\n").Documents);
        Assert.Equal("---\nx\n", document.Root.At("data", "a")!.Text);
    }

    [Fact]
    public void A_broken_document_is_told_with_its_line_and_hides_no_other()
    {
        var (documents, problems) = Read(Object + "---\n" + Object + "data: {a: [\n---\n" + Object + "---\nkind: x\napiVersion: a: b\n");
        Assert.Equal([1, 10], documents.Select(d => d.Line));
        Assert.Equal([(9, true), (15, true)], problems.Select(p => (p.Line, p.IsFault)));
    }

    [Fact]
    public void Lists_of_any_kind_are_taken_apart()
    {
        var text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ServiceList\n  items:\n  - {apiVersion: v1, kind: Service, metadata: {name: s}}\n- {apiVersion: v1, kind: Secret, metadata: {name: t}}\n";
        Assert.Equal(["Service", "Secret"], Read(text).Documents.Select(d => d.Root["kind"]!.Text));
    }

    [Fact]
    public void Json_is_read_with_tabs_escapes_and_places()
    {
        var root = Root("{\n\t\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"a\\/b\\u00e9\",\n\t\t\"x\": null}\n}");
        var name = root.At("metadata", "name")!;
        Assert.Equal(("a/bé", 3, "\"a\\/b\\u00e9\""), (name.Text, name.Line, Written(name)));
        Assert.Null(root.At("metadata", "x"));
        Assert.True(root.Source.IsJson);
    }

    [Fact]
    public void An_alias_is_the_value_where_it_is_written()
    {
        var root = Root(Object + "a: &x\n  k: [1]\nb: *x\nc: {<<: *x, l: 2}\n");
        Assert.Same(root["a"], root["b"]);
        Assert.True(root["b"]!.IsShared);
        Assert.Equal(5, root.At("b", "k")!.Line);
        Assert.Equal(("1", "2"), (root.At("c", "k")!.Items[0].Text, root.At("c", "l")!.Text));
    }

    [Fact]
    public void Own_keys_win_over_merged_ones_and_earlier_merges_over_later()
    {
        var root = Root(Object + "a: &a {k: a, l: a}\nb: &b {l: b, m: b}\nc: {<<: [*a, *b], k: c}\n");
        Assert.Equal(["c", "a", "b"], ((string[])["k", "l", "m"]).Select(k => root.At("c", k)!.Text));
    }

    [Fact]
    public void Of_repeated_keys_the_last_counts_as_in_Kubernetes() => Assert.Equal("2", Root(Object + "a: 1\na: 2\n")["a"]!.Text);

    [Fact]
    public void Large_mappings_are_found_in_the_same_way()
    {
        var text = new StringBuilder(Object + "a:\n  <<: {k7: merged, z: merged}\n");
        for (var i = 0; i < 100; i++)
            text.Append($"  k{i}: {i}\n");
        var root = Root(text + "  k7: again\n");
        Assert.Equal(("again", "merged", "99"), (root.At("a", "k7")!.Text, root.At("a", "z")!.Text, root.At("a", "k99")!.Text));
        Assert.Null(root.At("a", "k100"));
    }

    [Theory]
    [InlineData("a: !Ref x\n")]
    [InlineData("a: !!str 5\n")]
    [InlineData("a: ~\n")]
    [InlineData("\"a\":\n  - ? b\n    : c\n")]
    public void What_a_configuration_never_needs_is_read_here(string text) => Assert.Single(Read(Object + text).Documents);

    [Theory]
    [InlineData("a: *nobody\n", "not defined")]
    [InlineData("[1]: x\n", "a key must be text")]
    [InlineData("a: x\0y\n", "U+0000")]
    [InlineData("a: x\u001b[31m\n", "U+001B")]
    [InlineData("a: &x [*x]\n", "not defined")]
    public void What_cannot_be_read_is_refused_in_its_line(string text, string reason)
    {
        var problem = Assert.Single(Read("---\n" + Object + text).Problems, p => p.IsFault);
        Assert.Contains(reason, problem.Message, StringComparison.Ordinal);
        Assert.Equal(5, problem.Line);
    }

    [Fact]
    public void Nested_aliases_cannot_multiply_without_end()
    {
        var text = new StringBuilder(Object + "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (var i = 1; i < 40; i++)
            text.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat("*a" + (i - 1), 10))}]\n");
        Assert.Contains("more than 2000000 values", Assert.Single(Read(text.ToString()).Problems, p => p.IsFault).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('[')]
    [InlineData('{')]
    public void Depth_is_bounded(char open) =>
        Assert.Contains("100 levels", Assert.Single(Read(Object + "a: " + new string(open, 100_000)).Problems, p => p.IsFault).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("\uFEFF")]
    [InlineData("\uFEFF---\n")]
    [InlineData("\uFEFF# c\n---\n")]
    public void A_byte_order_mark_is_passed_over(string start) => Assert.Single(Read(start + Object).Documents);

    [Fact]
    public void Helm_and_Kustomize_say_where_an_object_comes_from()
    {
        var documents = Read("---\n# Source: chat/templates/a.yaml\n" + Object + "---\n" + Object.Replace("{name: a}", "{name: a, annotations: {config.kubernetes.io/origin: \"path: ../base/b.yaml\\n\"}}", StringComparison.Ordinal)
            + "---\n" + Object + "# Source: not/this\n").Documents;
        Assert.Equal(["chat/templates/a.yaml", "../base/b.yaml", null], documents.Select(d => d.Template));
    }

    [Theory]
    [InlineData("a: 1\n")]
    [InlineData("- a\n")]
    [InlineData("text\n")]
    [InlineData("kind: Pod\nmetadata: {name: a}\n")]
    [InlineData("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n")]
    public void What_is_no_object_is_none(string text)
    {
        var (documents, problems) = Read(text);
        Assert.Empty(documents);
        Assert.Equal(("holds no Kubernetes object", false), (problems[0].Message, problems[0].IsFault));
    }

    [Fact]
    public void An_unrendered_template_is_called_one()
    {
        var problem = Assert.Single(Read("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Values.name }}\n").Problems);
        Assert.Contains("a template", problem.Message, StringComparison.Ordinal);
    }

    private static (IReadOnlyList<ManifestDocument> Documents, IReadOnlyList<ReadProblem> Problems) Read(string text) => ManifestReader.Read([Lint.Source(text)]);

    private static Node Root(string text)
    {
        var (documents, problems) = Read(text);
        Assert.Empty(problems);
        return Assert.Single(documents).Root;
    }

    private static string Written(Node node) => node.Source.Text[node.Start..node.End];
}
