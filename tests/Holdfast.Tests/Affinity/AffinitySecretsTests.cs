using Holdfast.Api.Configuration;
using Holdfast.Gateway.Affinity;
using Xunit;

namespace Holdfast.Tests.Affinity;

public sealed class AffinitySecretsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("holdfast-secrets-").FullName;

    [Fact]
    public void A_secret_is_what_the_file_holds_without_white_space_around_it()
    {
        var secrets = new AffinitySecrets();
        secrets.Load(Configuration(File("good", "\n\t 0123456789abcdef 0123456789abcde \r\n")));
        Assert.Equal("0123456789abcdef 0123456789abcde"u8.ToArray(), secrets.Of(new AffinityCookieOptions { SecretFile = At("good") }).ToArray());
    }

    [Fact]
    public void Without_a_file_it_is_random_and_the_same_for_all_backends()
    {
        var secrets = new AffinitySecrets();
        secrets.Load(Configuration(null));
        var secret = secrets.Of(new AffinityCookieOptions()).ToArray();
        Assert.Equal(secret, secrets.Of(new AffinityCookieOptions { Name = "other" }).ToArray());
        Assert.Equal(32, secret.Length);
        Assert.NotEqual(secret, new AffinitySecrets().Of(new AffinityCookieOptions()).ToArray());
    }

    [Fact]
    public void A_file_that_is_no_secret_is_told_with_its_key_and_never_with_its_content()
    {
        const string Short = "just-thirty-one-bytes-of-secret";
        Assert.Equal(31, Short.Length);
        Assert.Contains("31 bytes", Fault(File("short", "  " + Short + "  ")), StringComparison.Ordinal);
        Assert.DoesNotContain(Short, Fault(At("short")), StringComparison.Ordinal);
        Assert.Contains("no such file", Fault(At("missing")), StringComparison.Ordinal);
        Assert.Contains("a directory", Fault(_folder), StringComparison.Ordinal);
        Assert.Contains("over 4096 bytes", Fault(File("long", new string('x', 4097))), StringComparison.Ordinal);
        Assert.Contains("over 4096 bytes", Fault("/dev/zero"), StringComparison.Ordinal);
        Assert.Contains("0 bytes", Fault("/dev/null"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_leaves_the_secrets_that_were_loaded()
    {
        var secrets = new AffinitySecrets();
        secrets.Load(Configuration(File("good", new string('x', 32))));
        Assert.Throws<IOException>(() => secrets.Load(Configuration(At("missing"))));
        Assert.Equal(32, secrets.Of(new AffinityCookieOptions { SecretFile = At("good") }).Length);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Fault(string file)
    {
        var fault = Assert.Throws<IOException>(() => new AffinitySecrets().Load(Configuration(file))).Message;
        Assert.StartsWith("backends.chat.affinity.cookie.secretFile: " + file + ": ", fault, StringComparison.Ordinal);
        return fault;
    }

    private static GatewayConfiguration Configuration(string? secretFile) => new()
    {
        Listeners = [],
        Routes = [],
        Backends = [Requests.Options(AffinityKind.Cookie, cookie: new AffinityCookieOptions { SecretFile = secretFile })],
    };

    private string At(string name) => Path.Combine(_folder, name);

    private string File(string name, string text)
    {
        System.IO.File.WriteAllText(At(name), text);
        return At(name);
    }
}
