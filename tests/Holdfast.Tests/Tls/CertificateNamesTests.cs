using System.Security.Cryptography.X509Certificates;
using Holdfast.Gateway.Tls;
using Holdfast.Testing.Tls;
using Xunit;

namespace Holdfast.Tests.Tls;

/// <summary>Which names a certificate is for.</summary>
public sealed class CertificateNamesTests
{
    [Theory]
    [InlineData("a.example", "Exact")]
    [InlineData("A.Example", "Exact")]
    [InlineData("a.example.", "Exact")]
    [InlineData("x.b.example", "Wildcard")]
    [InlineData("X.B.EXAMPLE", "Wildcard")]
    [InlineData("exact.b.example", "Exact")]
    [InlineData("b.example", "None")]
    [InlineData("x.y.b.example", "None")]
    [InlineData(".b.example", "None")]
    [InlineData("*.b.example", "Wildcard")]
    [InlineData("bücher.example", "Exact")]
    [InlineData("xn--bcher-kva.example", "Exact")]
    [InlineData("common.example", "None")]
    [InlineData("127.0.0.1", "None")]
    [InlineData("", "None")]
    [InlineData(null, "None")]
    public void A_name_fits_as_RFC_6125_says(string? name, string fit)
    {
        using var root = new TestAuthority();
        using var certificate = X509Certificate2.CreateFromPem(root.Issue(new TestRequest
        {
            CommonName = "common.example",
            Names = ["a.example", "*.b.example", "exact.b.example", "xn--bcher-kva.example", "127.0.0.1"],
        }).Chain);

        Assert.Equal(fit, new CertificateNames(certificate).FitOf(CertificateNames.Normalize(name)).ToString());
    }

    [Fact]
    public void The_common_name_counts_where_there_are_no_alternatives()
    {
        using var root = new TestAuthority();
        using var certificate = X509Certificate2.CreateFromPem(root.Issue(new TestRequest { CommonName = "Common.example" }).Chain);

        Assert.Equal(["common.example"], new CertificateNames(certificate).All);
    }
}
