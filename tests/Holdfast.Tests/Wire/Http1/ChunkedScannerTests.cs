using System.Runtime.CompilerServices;
using System.Text;
using Holdfast.Fuzz;
using Holdfast.Fuzz.Http1;
using Holdfast.Wire.Http1;
using Xunit;

namespace Holdfast.Tests.Wire.Http1;

public sealed class ChunkedScannerTests
{
    [Fact]
    public void The_scanner_is_16_bytes_without_references()
    {
        Assert.Equal(16, Unsafe.SizeOf<ChunkedScanner>());
        Assert.False(RuntimeHelpers.IsReferenceOrContainsReferences<ChunkedScanner>());
    }

    [Theory]
    [InlineData("0\r\n\r\n")]
    [InlineData("5\r\nhello\r\n0\r\n\r\n")]
    [InlineData("00A;x=y;z=\"1 2\"\r\n0123456789\r\n5\r\n\r\n0\r\n\r\n000\r\nA: b\r\nSum:\r\n\r\n")]
    [InlineData("1 \t;last\r\nx\r\n0;end\r\n\r\n")]
    public void The_end_of_a_body_is_found_wherever_it_is_cut(string text)
    {
        byte[] body = Bytes(text);
        byte[] stream = [.. body, .. "0\r\n\r\nHTTP/1.1 200 OK"u8];
        Assert.Equal(ChunkStatus.Done, default(ChunkedScanner).Next(stream, out int consumed));
        Assert.Equal(body.Length, consumed);
        for (int cut = 0; cut < body.Length; cut++)
        {
            var scanner = default(ChunkedScanner);
            Assert.Equal(ChunkStatus.NeedMore, scanner.Next(stream.AsSpan(0, cut), out consumed));
            Assert.Equal(cut, consumed);
            Assert.Equal(ChunkStatus.Done, scanner.Next(stream.AsSpan(cut), out consumed));
            Assert.Equal(body.Length, cut + consumed);
            Assert.True(scanner.IsDone);
        }
    }

    [Theory]
    [InlineData("\r\n", ChunkError.Size, 0)]
    [InlineData("g\r\n", ChunkError.Size, 0)]
    [InlineData("-5\r\n", ChunkError.Size, 0)]
    [InlineData("0x5\r\n", ChunkError.Size, 1)]
    [InlineData(" 5\r\n", ChunkError.Size, 0)]
    [InlineData("5 \r\n", ChunkError.Size, 2)]
    [InlineData("5 5\r\n", ChunkError.Size, 2)]
    [InlineData("5\n", ChunkError.Size, 1)]
    [InlineData("5\rx", ChunkError.LineEnd, 2)]
    [InlineData("8000000000000000\r\n", ChunkError.SizeOverflow, 15)]
    [InlineData("00000000000000000000ffffffffffffffff\r\n", ChunkError.SizeOverflow, 35)]
    [InlineData("5;a\nhello", ChunkError.Extension, 3)]
    [InlineData("5;a\0", ChunkError.Extension, 3)]
    [InlineData("5\r\nhello\n", ChunkError.LineEnd, 8)]
    [InlineData("5\r\nhello!\r\n", ChunkError.LineEnd, 8)]
    [InlineData("5\r\nhello\rx", ChunkError.LineEnd, 9)]
    [InlineData("0\r\n\n", ChunkError.Trailer, 3)]
    [InlineData("0\r\nA: b\r\n folded\r\n\r\n", ChunkError.Trailer, 9)]
    [InlineData("0\r\nA b: c\r\n\r\n", ChunkError.Trailer, 4)]
    [InlineData("0\r\n: c\r\n\r\n", ChunkError.Trailer, 3)]
    [InlineData("0\r\nA\r\n\r\n", ChunkError.Trailer, 4)]
    [InlineData("0\r\nA: \u007F\r\n\r\n", ChunkError.Trailer, 6)]
    [InlineData("0\r\nA: b\n\r\n", ChunkError.Trailer, 7)]
    [InlineData("0\r\n\rx", ChunkError.LineEnd, 4)]
    public void A_body_that_two_readers_may_read_differently_is_refused_at_the_bad_byte(string text, ChunkError error, int at)
    {
        byte[] body = Bytes(text);
        var scanner = default(ChunkedScanner);
        Assert.Equal(ChunkStatus.Error, scanner.Next(body, out int consumed));
        Assert.Equal((error, at), (scanner.Error, consumed));
        Assert.Equal(ChunkStatus.Error, scanner.Next("0\r\n\r\n"u8, out consumed));
        Assert.Equal(0, consumed);
        ChunkedTarget.AssertAgreement(body, Splits.Bytes(body.Length));
    }

    [Fact]
    public void Size_lines_and_trailers_are_bounded()
    {
        AssertBounded("5;", "\r\n", 'x', ChunkedScanner.MaxLine, ChunkStatus.NeedMore, ChunkError.LineTooLong);
        AssertBounded("", "5\r\n", '0', ChunkedScanner.MaxLine, ChunkStatus.NeedMore, ChunkError.LineTooLong);
        AssertBounded("0\r\nA:", "\r\n\r\n", 'x', "0\r\n".Length + ChunkedScanner.MaxTrailers, ChunkStatus.Done, ChunkError.TrailersTooLong);
    }

    [Fact]
    public void The_greatest_chunk_is_counted_down_without_its_bytes_being_looked_at()
    {
        var scanner = default(ChunkedScanner);
        Assert.Equal(ChunkStatus.NeedMore, scanner.Next("7fffffffffffffff\r\n\0\n"u8, out int consumed));
        Assert.Equal(20, consumed);
        Assert.Equal(ChunkStatus.NeedMore, scanner.Next(new byte[100_000], out consumed));
        Assert.Equal(100_000, consumed);
    }

    [Fact]
    public void Random_bodies_agree_with_the_oracle_in_random_pieces()
    {
        var random = new Random(7);
        for (int run = 0; run < 2000; run++)
        {
            byte[] body = RandomBody(random);
            ChunkedTarget.AssertAgreement(body, Splits.Whole(body.Length));
            ChunkedTarget.AssertAgreement(body, Splits.Random(body.Length, random));
            Assert.Equal(ChunkStatus.Done, default(ChunkedScanner).Next(body, out _));
            byte[] mutant = new Mutator(random).Mutate(body, [RandomBody(random)]);
            ChunkedTarget.AssertAgreement(mutant, Splits.Whole(mutant.Length));
            ChunkedTarget.AssertAgreement(mutant, Splits.Random(mutant.Length, random));
        }
    }

    [Fact]
    public void Scanning_allocates_nothing()
    {
        byte[] body = Bytes("5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n");
        Allocations.AssertNone(() =>
        {
            var scanner = default(ChunkedScanner);
            for (int i = 0; i < body.Length; i++)
                scanner.Next(body.AsSpan(i, 1), out _);
        });
    }

    /// <summary>Start and end with filler between them: at the bound it passes, with one byte more it is refused at the last.</summary>
    private static void AssertBounded(string start, string end, char filler, int bound, ChunkStatus within, ChunkError beyond)
    {
        string Make(int length) => start + new string(filler, length - start.Length - end.Length) + end;
        var scanner = default(ChunkedScanner);
        Assert.Equal((within, ChunkError.None), (scanner.Next(Bytes(Make(bound)), out _), scanner.Error));
        scanner = default;
        Assert.Equal((ChunkStatus.Error, beyond), (scanner.Next(Bytes(Make(bound + 1)), out int consumed), scanner.Error));
        Assert.Equal(bound, consumed);
    }

    private static byte[] RandomBody(Random random)
    {
        var body = new StringBuilder();
        for (int chunks = random.Next(5); chunks > 0; chunks--)
        {
            int size = 1 + random.Next(300);
            body.Append(new string('0', random.Next(3))).Append(size.ToString(random.Next(2) == 0 ? "x" : "X", null));
            body.Append(random.Next(4) == 0 ? " ;name=\"value\"" : "").Append("\r\n");
            for (int i = 0; i < size; i++)
                body.Append((char)random.Next(256));
            body.Append("\r\n");
        }

        body.Append("0\r\n");
        for (int trailers = random.Next(3); trailers > 0; trailers--)
            body.Append("X-Trailer: ").Append(random.Next()).Append("\r\n");
        return Bytes(body.Append("\r\n").ToString());
    }

    private static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);
}
