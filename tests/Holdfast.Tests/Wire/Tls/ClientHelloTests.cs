using System.IO.Pipelines;
using Holdfast.Gateway.Tls;
using Holdfast.Wire.Tls;
using Xunit;

namespace Holdfast.Tests.Wire.Tls;

/// <summary>What is seen of a hello, whole, cut and in pieces.</summary>
public sealed class ClientHelloTests
{
    [Theory]
    [InlineData("tls13", true)]
    [InlineData("both", true)]
    [InlineData("tls12", false)]
    [InlineData("no-extensions", false)]
    [InlineData("empty-versions", false)]
    public void OpenSSLs_hellos_tell_what_they_offer(string file, bool offers)
    {
        var hello = Hello(file);

        Assert.Equal(hello.Length, ClientHello.LengthOf(hello));
        Assert.Equal(offers, ClientHello.OffersTls13(hello));
        for (var cut = 0; cut < hello.Length; cut++)
            Assert.False(ClientHello.OffersTls13(hello.AsSpan(0, cut)));
    }

    [Theory]
    [InlineData("tls13", true)]
    [InlineData("tls12", false)]
    public async Task A_hello_is_looked_at_however_it_arrives_and_stays_where_it_is(string file, bool offers)
    {
        var hello = Hello(file);
        for (var cut = 1; cut < hello.Length; cut += 7)
        {
            var pipe = new Pipe();
            var looking = HelloPeek.OffersTls13Async(pipe.Reader, default);
            await pipe.Writer.WriteAsync(hello.AsMemory(0, cut));
            Assert.False(looking.IsCompleted);
            await pipe.Writer.WriteAsync((byte[])[.. hello[cut..], 1, 2, 3]);
            Assert.Equal(offers, await looking);
            Assert.True(pipe.Reader.TryRead(out var read));
            Assert.Equal(hello.Length + 3, read.Buffer.Length);
        }
    }

    [Fact]
    public async Task What_is_no_hello_is_left_to_TLS_at_once()
    {
        foreach (var bytes in (byte[][])[Hello("http"), [0], [22, 2, 0, 0, 0], []])
        {
            var pipe = new Pipe();
            if (bytes.Length > 0)
                await pipe.Writer.WriteAsync(bytes);
            else
                await pipe.Writer.CompleteAsync();
            Assert.False(await HelloPeek.OffersTls13Async(pipe.Reader, default));
        }
    }

    private static byte[] Hello(string file) => File.ReadAllBytes(Path.Combine(Repository.Root, "tests", "corpus", "client-hello", file));
}
