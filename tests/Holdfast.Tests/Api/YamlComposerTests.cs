using System.Text;
using Holdfast.Api.Yaml;
using Xunit;

namespace Holdfast.Tests.Api;

public class YamlComposerTests
{
    [Fact]
    public void Lines_and_columns_count_from_one()
    {
        var root = Compose("a: 1\nbb:\n  - x\n  - c: y\n");

        Assert.Equal((1, 1), (root.Entries[0].Key.Line, root.Entries[0].Key.Column));
        Assert.Equal((1, 4), (root.Entries[0].Value.Line, root.Entries[0].Value.Column));
        Assert.Equal((3, 5), (root.Entries[1].Value.Items[0].Line, root.Entries[1].Value.Items[0].Column));
        Assert.Equal((4, 8), (root.Entries[1].Value.Items[1].Entries[0].Value.Line, root.Entries[1].Value.Items[1].Entries[0].Value.Column));
    }

    [Fact]
    public void Repeated_keys_are_kept_for_the_reader_to_report() => Assert.Equal(2, Compose("a: 1\na: 2").Entries.Count);

    [Theory]
    [InlineData("~", true)]
    [InlineData("null", true)]
    [InlineData("''", false)]
    [InlineData("\"null\"", false)]
    [InlineData("x", false)]
    public void Only_an_unquoted_null_is_null(string text, bool isNull) => Assert.Equal(isNull, Compose("a: " + text).Entries[0].Value.IsNull);

    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("# only a comment")]
    [InlineData("---\n...")]
    [InlineData("~")]
    public void A_text_without_a_value_gives_nothing(string text) => Assert.Equal((null, null), YamlComposer.Compose(text));

    [Fact]
    public void An_alias_shares_the_value_it_names()
    {
        var root = Compose("a: &x {b: 1}\nc: *x");
        Assert.Same(root.Entries[0].Value, root.Entries[1].Value);
    }

    [Fact]
    public void A_byte_order_mark_is_skipped() => Assert.Equal("a", Compose("\uFEFFa: 1").Entries[0].Key.Text);

    [Theory]
    [InlineData("a: [1\nb: 2", 1)]
    [InlineData("a: 1\n  b: 2", 2)]
    [InlineData("a: 1\n\tb: 2", 1)]
    [InlineData("a: 'x", 1)]
    [InlineData("a: [1\nb: }", 1)]
    public void Broken_syntax_is_a_fault_with_its_line(string text, int line)
    {
        var fault = Fault(text);
        Assert.StartsWith("not valid YAML", fault.Message, StringComparison.Ordinal);
        Assert.InRange(fault.Line, line, text.Count('\n') + 2);
    }

    [Theory]
    [InlineData("a: &x [*x]", "'&x' is not defined")]
    [InlineData("a: *nobody", "'&nobody' is not defined")]
    [InlineData("a: !!int 5", "tags are not supported")]
    [InlineData("a: !secret x", "tags are not supported")]
    [InlineData("[1]: x", "a key must be text")]
    [InlineData("a: 1\n---\nb: 2", "a second document")]
    [InlineData("a: x\0y", "U+0000")]
    [InlineData("a: x\u001b[31m", "U+001B")]
    public void What_a_configuration_never_needs_is_refused(string text, string reason) => Assert.Contains(reason, Fault(text).Message, StringComparison.Ordinal);

    [Fact]
    public void Nested_aliases_cannot_multiply_without_end()
    {
        var text = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (var i = 1; i < 30; i++)
            text.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat("*a" + (i - 1), 10))}]\n");
        Assert.Contains("more than 200000 values", Fault(text.ToString()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData('[')]
    [InlineData('{')]
    public void Depth_is_bounded(char open) => Assert.Contains("32 levels", Fault(new string(open, 100_000)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_text_over_one_mebibyte_is_not_read() => Assert.Contains("1 MiB", Fault(new string('#', (1024 * 1024) + 1)).Message, StringComparison.Ordinal);

    private static YamlNode Compose(string text)
    {
        var (root, fault) = YamlComposer.Compose(text);
        Assert.Null(fault);
        return root!;
    }

    private static YamlFault Fault(string text)
    {
        var (root, fault) = YamlComposer.Compose(text);
        Assert.Null(root);
        return fault!;
    }
}
