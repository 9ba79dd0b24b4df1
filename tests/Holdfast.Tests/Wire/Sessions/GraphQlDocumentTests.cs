using System.Text;
using Holdfast.Wire.Sessions.GraphQl;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

public sealed class GraphQlDocumentTests
{
    [Theory]
    [InlineData("{ a }", "query")]
    [InlineData("query { a }", "query")]
    [InlineData("query Q { a }", "query")]
    [InlineData("mutation M { a }", "mutation")]
    [InlineData("subscription { a }", "subscription")]
    [InlineData("subscription S($a: Int = 1, $b: I = {c: {d: \"}\"}}) @live(if: {x: [\")\"]}) { a(b: \"{\") { c } }", "subscription")]
    [InlineData("\uFEFF,, # query { a }\r\n subscription{a}", "subscription")]
    [InlineData("# a comment with { and \" in it\nsubscription { a }", "subscription")]
    [InlineData("subscription { a # }\n }", "subscription")]
    [InlineData("subscription { a(b: \"\"\"} \\\"\"\" } \"\"\") }", "subscription")]
    [InlineData("subscription { a(b: \"\"\"\"\"\") }", "subscription")]
    [InlineData("subscription { a(b: \"\\\\\") }", "subscription")]
    [InlineData("subscription { a(b: \"\\\"}\") }", "subscription")]
    [InlineData("subscription { a(b: \"\\u{1F600}\") }", "subscription")]
    [InlineData("fragment F on T { a } subscription { ...F }", "subscription")]
    [InlineData("subscription { ...F } fragment F on query @d { a }", "subscription")]
    [InlineData("\"a description\" subscription S { a }", "subscription")]
    [InlineData("subscription subscription { subscription }", "subscription")]
    [InlineData("query subscription { a }", "query")]
    [InlineData("mutation{a(b:-1.5e3,c:$d)}", "mutation")]
    [InlineData("", null)]
    [InlineData("   # nothing", null)]
    [InlineData("fragment F on T { a }", null)]
    [InlineData("query A { a } query B { b }", null)]
    [InlineData("query A { a } subscription B { b }", null)]
    [InlineData("subscription { a", null)]
    [InlineData("subscription { a(b: \"x) }", null)]
    [InlineData("subscription { a(b: \"x\n\") }", null)]
    [InlineData("subscription { a(b: \"\"\"x) }", null)]
    [InlineData("subscription } a {", null)]
    [InlineData("subscription", null)]
    [InlineData("type T { a: Int } subscription { a }", null)]
    [InlineData("sha256:0123456789abcdef", null)]
    [InlineData("Subscription { a }", null)]
    [InlineData("subscriptions { a }", null)]
    [InlineData("subscription { a } ; ", null)]
    public void The_kind_of_the_only_operation_is_found(string document, string? kind) => Assert.Equal(KindOf(kind), Find(document, ""));

    [Theory]
    [InlineData("A", "query")]
    [InlineData("B", "subscription")]
    [InlineData("C", "mutation")]
    [InlineData("", null)]
    [InlineData("D", null)]
    [InlineData("F", null)]
    [InlineData("a", null)]
    public void Of_several_operations_the_named_one_counts(string name, string? kind) =>
        Assert.Equal(KindOf(kind), Find("query A { a } fragment F on T { b } subscription B @d { b } mutation C($x: [Int!]! = [1]) { c }", name));

    [Fact]
    public void A_name_given_twice_tells_nothing() => Assert.Equal(OperationKind.Unknown, Find("subscription A { a } mutation A { a }", "A"));

    [Fact]
    public void The_only_operation_must_have_the_name_that_is_asked_for()
    {
        Assert.Equal(OperationKind.Unknown, Find("subscription A { a }", "B"));
        Assert.Equal(OperationKind.Unknown, Find("subscription { a }", "B"));
    }

    [Fact]
    public void A_hundred_thousand_open_brackets_neither_overflow_the_stack_nor_count_as_an_operation()
    {
        Assert.Equal(OperationKind.Unknown, Find("subscription " + new string('{', 100_000), ""));
        Assert.Equal(OperationKind.Subscription, Find($"subscription {new string('{', 100_000)}{new string('}', 100_000)}", ""));
    }

    private static OperationKind Find(string document, string name) => GraphQlDocument.KindOf(Encoding.UTF8.GetBytes(document), Encoding.UTF8.GetBytes(name));

    private static OperationKind KindOf(string? kind) => kind switch
    {
        "query" => OperationKind.Query,
        "mutation" => OperationKind.Mutation,
        "subscription" => OperationKind.Subscription,
        _ => OperationKind.Unknown,
    };
}
