using Holdfast.Manifests.Linting.Fixing;
using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class EditsTests
{
    private const string Head = "apiVersion: v1\nkind: A\n";

    public static TheoryData<string, string, string> Settings() => new()
    {
        { "block", "metadata:\n  name: a\n  annotations:\n    # why\n    x: y   # tail\n\nspec: {}\n", "metadata:\n  name: a\n  annotations:\n    # why\n    x: y   # tail\n    k/v: \"1\"\n\nspec: {}\n" },
        { "no annotations yet", "metadata:\n  name: a # tail\nspec: {}\n", "metadata:\n  name: a # tail\n  annotations:\n    k/v: \"1\"\nspec: {}\n" },
        { "empty annotations", "metadata:\n  annotations: # none\n  name: a\n", "metadata:\n  annotations: # none\n    k/v: \"1\"\n  name: a\n" },
        { "null annotations", "metadata:\n  annotations: null\n  name: a\n", "metadata:\n  annotations: {k/v: \"1\"}\n  name: a\n" },
        { "empty flow", "metadata:\n  annotations: {}\n  name: a\n", "metadata:\n  annotations: {k/v: \"1\"}\n  name: a\n" },
        { "flow", "metadata: {name: a, annotations: {x: y}}\n", "metadata: {name: a, annotations: {x: y, k/v: \"1\"}}\n" },
        { "flow without", "metadata: {name: a}\n", "metadata: {name: a, annotations: {k/v: \"1\"}}\n" },
        { "spread flow", "metadata: {\n    name: a\n  }\n", "metadata: {\n    name: a,\n    annotations: {k/v: \"1\"}\n  }\n" },
        { "double quotes", "metadata:\n  name: a\n  annotations:\n    k/v: \"0\" # c\n", "metadata:\n  name: a\n  annotations:\n    k/v: \"1\" # c\n" },
        { "single quotes", "metadata:\n  name: a\n  annotations:\n    k/v: '0'\n", "metadata:\n  name: a\n  annotations:\n    k/v: '1'\n" },
        { "plain", "metadata:\n  name: a\n  annotations:\n    k/v: 0s\n", "metadata:\n  name: a\n  annotations:\n    k/v: \"1\"\n" },
        { "nothing after the key", "metadata:\n  name: a\n  annotations:\n    k/v:\n    x: y\n", "metadata:\n  name: a\n  annotations:\n    k/v: \"1\"\n    x: y\n" },
        { "no final break", "metadata:\n  name: a\n  annotations:\n    x: y", "metadata:\n  name: a\n  annotations:\n    x: y\n    k/v: \"1\"" },
        { "behind a block scalar", "metadata:\n  name: a\n  annotations:\n    x: |\n      one\n\n      two\n\nspec: {}\n", "metadata:\n  name: a\n  annotations:\n    x: |\n      one\n\n      two\n    k/v: \"1\"\n\nspec: {}\n" },
        { "carriage returns", "metadata:\r\n  name: a\r\n  annotations:\r\n    x: y\r\nspec: {}\r\n", "metadata:\r\n  name: a\r\n  annotations:\r\n    x: y\r\n    k/v: \"1\"\r\nspec: {}\r\n" },
        { "merged", "x: &x {y: z}\nmetadata:\n  name: a\n  annotations:\n    q: r\n    <<: *x\n", "x: &x {y: z}\nmetadata:\n  name: a\n  annotations:\n    q: r\n    k/v: \"1\"\n    <<: *x\n" },
        { "an alias last", "x: &x z\nmetadata:\n  name: a\n  annotations:\n    q: *x\n", "x: &x z\nmetadata:\n  name: a\n  annotations:\n    q: *x\n    k/v: \"1\"\n" },
        { "deeply indented", "metadata:\n      name: a\n      annotations:\n            x: y\n", "metadata:\n      name: a\n      annotations:\n            x: y\n            k/v: \"1\"\n" },
        { "tab before a comment", "metadata:\n  name: a\n  annotations:\n    x: y\t# c\n", "metadata:\n  name: a\n  annotations:\n    x: y\t# c\n    k/v: \"1\"\n" },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public void An_annotation_is_set_in_the_style_around_it(string what, string before, string after)
    {
        var item = Item(Head + before);
        var patch = Edits.SetAnnotation(item, "k/v", "1");
        Assert.True(patch is not null, what);
        Assert.Equal(Head + after, Apply(patch));
        Assert.Equal("1", Item(Apply(patch)).Annotation("k/v")!.Text);
        // What is set already stays as it is.
        Assert.Equal(Apply(patch), Apply(Edits.SetAnnotation(Item(Apply(patch)), "k/v", "1")!));
    }

    [Theory]
    [InlineData("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\"}}", "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\", \"annotations\": {\"k/v\": \"1\"}}}")]
    [InlineData("{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"A\",\n\t\"metadata\": {\n\t\t\"name\": \"a\",\n\t\t\"annotations\": {\n\t\t\t\"x\": \"y\"\n\t\t}\n\t}\n}\n", "{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"A\",\n\t\"metadata\": {\n\t\t\"name\": \"a\",\n\t\t\"annotations\": {\n\t\t\t\"x\": \"y\",\n\t\t\t\"k/v\": \"1\"\n\t\t}\n\t}\n}\n")]
    [InlineData("{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\",\"annotations\":null}}", "{\"apiVersion\":\"v1\",\"kind\":\"A\",\"metadata\":{\"name\":\"a\",\"annotations\":{\"k/v\": \"1\"}}}")]
    public void Json_stays_json(string before, string after)
    {
        var fixedText = Apply(Edits.SetAnnotation(Item(before), "k/v", "1")!);
        Assert.Equal(after, fixedText);
        using var parsed = System.Text.Json.JsonDocument.Parse(fixedText);
        Assert.Equal("1", parsed.RootElement.GetProperty("metadata").GetProperty("annotations").GetProperty("k/v").GetString());
    }

    [Theory]
    [InlineData("x: &x {y: z}\nmetadata:\n  name: a\n  annotations: *x\n")]
    [InlineData("metadata: &m\n  name: a\n  annotations: {x: y}\nother: *m\n")]
    [InlineData("metadata:\n  name: a\n  annotations:\n    k/v: &k 0\nother: *k\n")]
    [InlineData("metadata:\n  name: a\n  annotations:\n    k/v: !!str 0\n")]
    [InlineData("metadata:\n  name: a\n  annotations:\n    k/v: |\n      0\n")]
    [InlineData("metadata:\n  name: a\n  annotations:\n    ? x\n    : y\n")]
    [InlineData("metadata:\n  name: a\n  annotations:\n    x: |+\n      y\n\n")]
    [InlineData("metadata:\n  name: a\n  annotations:\n    x: |\n      y")]
    [InlineData("metadata:\n  name: a\n  annotations: text\n")]
    [InlineData("x: &x {annotations: {y: z}}\nmetadata:\n  <<: *x\n  name: a\n")]
    public void What_would_be_a_guess_is_left_alone(string text) => Assert.Null(Edits.SetAnnotation(Item(Head + text), "k/v", "1"));

    public static TheoryData<string, string> Removals() => new()
    {
        { "metadata:\n  name: a\n  annotations:\n    # one\n    k/v: 1 # two\n    # three\n    x: y\n", "metadata:\n  name: a\n  annotations:\n    # one\n    # three\n    x: y\n" },
        { "metadata:\n  name: a\n  annotations:\n    x: y\n    k/v: |\n      one\n\n      two\nspec: {}\n", "metadata:\n  name: a\n  annotations:\n    x: y\nspec: {}\n" },
        { "metadata:\n  name: a\n  annotations:\n    k/v: 1\n", "metadata:\n  name: a\n" },
        { "metadata:\n  name: a\n  annotations:\n    # kept\n    k/v: 1\n", "metadata:\n  name: a\n  annotations:\n    # kept\n" },
        { "metadata: {annotations: {x: y, k/v: 1}, name: a}\n", "metadata: {annotations: {x: y}, name: a}\n" },
        { "metadata: {annotations: {k/v: 1, x: y}, name: a}\n", "metadata: {annotations: {x: y}, name: a}\n" },
        { "metadata: {annotations: {k/v: 1}, name: a}\n", "metadata: {name: a}\n" },
        { "metadata: {name: a, annotations: {k/v: 1}}\n", "metadata: {name: a}\n" },
        { "metadata:\n  name: a\n  annotations:\n    x: y\n    k/v: 1", "metadata:\n  name: a\n  annotations:\n    x: y" },
        { "metadata:\r\n  name: a\r\n  annotations:\r\n    k/v: 1\r\n    x: y\r\n", "metadata:\r\n  name: a\r\n  annotations:\r\n    x: y\r\n" },
    };

    [Theory]
    [MemberData(nameof(Removals))]
    public void An_annotation_is_removed_with_its_line_and_no_comment_else(string before, string after)
    {
        var patch = Edits.RemoveAnnotation(Item(Head + before), "k/v")!;
        Assert.Equal(Head + after, Apply(patch));
        Assert.Null(Item(Apply(patch)).Annotation("k/v"));
    }

    [Fact]
    public void In_a_list_the_next_key_moves_behind_the_dash()
    {
        var item = Item(Head + "metadata: {name: a}\nspec:\n- k: 1\n  l: 2\n- k: 3\n");
        var patch = Edits.Remove("", item.Spec!.Items[0], ["k"])!;
        Assert.Equal(Head + "metadata: {name: a}\nspec:\n- l: 2\n- k: 3\n", Apply(patch));
        Assert.Null(Edits.Remove("", item.Spec!.Items[1], ["k"]));
    }

    [Theory]
    [InlineData("60", "terminationGracePeriodSeconds: 60")]
    [InlineData("true", "terminationGracePeriodSeconds: true")]
    [InlineData("RollingUpdate", "terminationGracePeriodSeconds: RollingUpdate")]
    [InlineData("25%", "terminationGracePeriodSeconds: \"25%\"")]
    [InlineData("yes", "terminationGracePeriodSeconds: \"yes\"")]
    [InlineData("a: b", "terminationGracePeriodSeconds: \"a: b\"")]
    public void A_field_is_written_as_its_type_wants(string value, string written)
    {
        var item = Item(Head + "metadata: {name: a}\nspec:\n  containers:\n  - name: c\n");
        var patch = Edits.Set("", item.Spec!, ["terminationGracePeriodSeconds"], value)!;
        Assert.Equal(Head + "metadata: {name: a}\nspec:\n  containers:\n  - name: c\n  " + written + "\n", Apply(patch));
    }

    [Fact]
    public void Missing_mappings_on_the_way_are_written()
    {
        var item = Item(Head + "metadata: {name: a}\nspec:\n  containers:\n  - name: c # first\n    image: i\n  - name: d\n");
        var patch = Edits.Set("", item.Spec!["containers"]!.Items[0], ["lifecycle", "preStop", "sleep", "seconds"], "10")!;
        Assert.Equal(Head + "metadata: {name: a}\nspec:\n  containers:\n  - name: c # first\n    image: i\n    lifecycle:\n      preStop:\n        sleep:\n          seconds: 10\n  - name: d\n", Apply(patch));
    }

    private static KubernetesObject Item(string text)
    {
        var (documents, problems) = ManifestReader.Read([Lint.Source(text)]);
        Assert.Empty(problems);
        return new KubernetesObject(Assert.Single(documents));
    }

    private static string Apply(Patch patch) => Fixer.Apply(patch.Edits[0].Source, patch.Edits).Text;
}
