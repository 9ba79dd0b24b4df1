using Holdfast.Manifests.Linting.Graph;
using Holdfast.Manifests.Linting.Reading;
using Xunit;

namespace Holdfast.Manifests.Tests.Linting;

public class QuantityTests
{
    [Theory]
    [InlineData("512Mi", 536_870_912.0)]
    [InlineData("1.5Gi", 1_610_612_736.0)]
    [InlineData("1G", 1e9)]
    [InlineData("250m", 0.25)]
    [InlineData("2", 2.0)]
    [InlineData("\"2\"", 2.0)]
    [InlineData("1e3", 1000.0)]
    [InlineData("1E", 1e18)]
    [InlineData("20k", 20_000.0)]
    [InlineData("-1", null)]
    [InlineData("Mi", null)]
    [InlineData("512MB", null)]
    [InlineData("1_000", null)]
    [InlineData("[1]", null)]
    [InlineData("", null)]
    public void Quantities_are_read(string text, double? value) => Assert.Equal(value, Quantity.Of(Value(text)));

    [Theory]
    [InlineData("0", 4, 0, 0)]
    [InlineData("3", 4, 3, 3)]
    [InlineData("25%", 4, 1, 1)]
    [InlineData("25%", 3, 0, 1)]
    [InlineData("100%", 7, 7, 7)]
    [InlineData("0%", 7, 0, 0)]
    [InlineData("99999%", 2147483647, 2147483647, 2147483647)]
    [InlineData("-1", 4, null, null)]
    [InlineData("-5%", 4, null, null)]
    [InlineData("25 %", 4, null, null)]
    [InlineData("\"%\"", 4, null, null)]
    [InlineData("half", 4, null, null)]
    public void Numbers_and_percentages_of_pods_are_read(string text, int total, int? down, int? up)
    {
        Assert.Equal(down, IntOrPercent.Of(Value(text), total, roundUp: false));
        Assert.Equal(up, IntOrPercent.Of(Value(text), total, roundUp: true));
    }

    private static Node? Value(string text)
    {
        var (documents, _) = ManifestReader.Read([Lint.Source($"apiVersion: v1\nkind: X\nmetadata: {{name: x}}\nvalue: {text}\n")]);
        return Assert.Single(documents).Root["value"];
    }
}
