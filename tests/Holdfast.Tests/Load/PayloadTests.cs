using System.Text;
using Holdfast.Cli.Load;
using Xunit;

namespace Holdfast.Tests.Load;

public sealed class PayloadTests
{
    private static readonly LoadSchedule Schedule = new(connections: 10, messagesPerSecond: 1000, TimeSpan.FromSeconds(100));

    [Theory]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(64)]
    [InlineData(200_000)]
    public void An_echo_is_intact_in_any_pieces(int size)
    {
        var random = new Random(size);
        var payload = new byte[size];
        EchoPayload.Write(payload, 3, 1234, Schedule.DueOf(3, 1234));
        for (var round = 0; round < 50; round++)
        {
            var reader = Read(payload, random);
            Assert.True(reader.IsIdentified);
            Assert.True(reader.IsIntact(size));
            Assert.Equal(1234u, reader.Sequence);
            Assert.Equal(Schedule.DueOf(3, 1234), reader.Due);
        }
    }

    [Fact]
    public void Any_single_bit_turned_is_seen()
    {
        var payload = new byte[64];
        for (var bit = 0; bit < 8 * payload.Length; bit++)
        {
            EchoPayload.Write(payload, 3, 1234, Schedule.DueOf(3, 1234));
            payload[bit / 8] ^= (byte)(1 << (bit % 8));
            var reader = Read(payload, new Random(bit));
            Assert.False(reader.IsIntact(64));
            Assert.Equal(bit >= 8 * EchoPayload.MinSize, reader.IsIdentified);
        }
    }

    [Fact]
    public void Another_connection_s_a_shortened_a_lengthened_and_an_unsent_message_are_not_intact()
    {
        var random = new Random(7);
        var payload = new byte[64];
        EchoPayload.Write(payload, 4, 5, Schedule.DueOf(4, 5));
        Assert.False(Read(payload, random).IsIdentified);
        EchoPayload.Write(payload, 3, 2000, Schedule.DueOf(3, 2000));
        Assert.False(Read(payload, random).IsIdentified);
        EchoPayload.Write(payload, 3, 5, Schedule.DueOf(3, 5));
        Assert.False(Read(payload.AsSpan(0, 63), random).IsIntact(64));
        Assert.False(Read([.. payload, 0], random).IsIntact(64));
        Assert.False(Read(payload.AsSpan(0, 10), random).IsIdentified);
    }

    [Theory]
    [InlineData("42", 42)]
    [InlineData(" 42 apples", 42)]
    [InlineData("{\"seq\":0}", 0)]
    [InlineData("{ \"kind\": \"x\", \"seq\" : 9007199254740993, \"y\": 1}", 9007199254740993)]
    public void A_number_is_found(string message, long expected)
    {
        Assert.True(SequencePayload.TryRead(Encoding.UTF8.GetBytes(message), out var number));
        Assert.Equal(expected, number);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("x42")]
    [InlineData("{}")]
    [InlineData("{\"seq\"")]
    [InlineData("{\"seq\":\"1\"}")]
    public void A_message_without_a_number_has_none(string message) =>
        Assert.False(SequencePayload.TryRead(Encoding.UTF8.GetBytes(message), out _));

    [Theory]
    [InlineData("ws://h/p", "ws://h/p?sequence=1&rate=2.5")]
    [InlineData("ws://h:81/p?a=b", "ws://h:81/p?a=b&sequence=1&rate=2.5")]
    public void The_stream_is_asked_for_in_the_query(string url, string expected) =>
        Assert.Equal(new Uri(expected), SequencePayload.Ask(new Uri(url), 2.5));

    [Fact]
    public void Messages_are_due_evenly_over_all_connections()
    {
        var dues = Enumerable.Range(0, 100).Select(g => Schedule.DueOf(g % 10, g / 10)).ToArray();
        Assert.Equal(Enumerable.Range(0, 100).Select(g => g * 1000L), dues);
    }

    private static EchoReader Read(ReadOnlySpan<byte> payload, Random random)
    {
        var reader = default(EchoReader);
        reader.Begin();
        while (!payload.IsEmpty)
        {
            var piece = Math.Min(payload.Length, random.Next(1, payload.Length > 1000 ? 100_000 : 20));
            reader.Take(payload[..piece], connection: 3, sent: 2000, Schedule);
            payload = payload[piece..];
        }

        return reader;
    }
}
