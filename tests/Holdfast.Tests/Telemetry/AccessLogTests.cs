using System.IO.Pipes;
using System.Net;
using System.Text;
using System.Text.Json;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Telemetry;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Holdfast.Tests.Telemetry;

public sealed class AccessLogTests : IDisposable
{
    private readonly TelemetryFixture _fixture = new(loops: 0, time: new FixedTime(new DateTimeOffset(2026, 11, 20, 9, 8, 7, 65, TimeSpan.Zero)));

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void An_end_is_one_line_with_all_its_fields()
    {
        var line = Assert.Single(Lines(log => log.OnPairEnded(End(), _fixture.Chat, _fixture.Chat.Endpoints[0])));

        Assert.Equal(
            """
            {"time":"2026-11-20T09:08:07.065Z","event":"connection","id":"00000000000000000000000000000001","client":"10.0.0.7:4711",
            "backend":"chat","endpoint":"127.0.0.1:9001","path":"/ws","reason":"upstream_close","side":"upstream","closeCode":1000,
            "handshakeMs":3,"durationMs":12345,"bytesFromClient":10,"bytesFromEndpoint":20,"messagesFromClient":1,"messagesFromEndpoint":2}
            """.ReplaceLineEndings(""),
            line);
    }

    [Theory]
    [InlineData(HoldProtocol.None, 0, 0, false)]
    [InlineData(HoldProtocol.Opaque, 0, 0, true)]
    [InlineData(HoldProtocol.None, 2, 0, true)]
    [InlineData(HoldProtocol.None, 0, 3, true)]
    public void Rehomes_are_told_of_held_connections(HoldProtocol protocol, int rehomes, long unknown, bool told)
    {
        var chat = _fixture.Chat;
        chat.Apply(chat.Options with { Hold = new HoldOptions { Protocol = protocol } }, chat.Endpoints.ToArray(), []);
        var end = End() with { Rehomes = rehomes, Unknown = unknown };
        var line = JsonDocument.Parse(Assert.Single(Lines(log => log.OnPairEnded(in end, chat, chat.Endpoints[0])))).RootElement;

        Assert.Equal((told, told), (line.TryGetProperty("rehomes", out var of), line.TryGetProperty("unknown", out var messages)));
        if (told)
            Assert.Equal((rehomes, unknown), (of.GetInt32(), messages.GetInt64()));
    }

    [Fact]
    public void A_refused_handshake_is_one_line_and_an_upgraded_one_is_none()
    {
        var line = Assert.Single(Lines(log =>
        {
            log.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.NoRoute));
            log.OnHandshakeEnded(_fixture.Handshake(HandshakeOutcome.Upgraded, _fixture.Chat.Endpoints[0]));
        }));

        Assert.Equal(
            """
            {"time":"2026-11-20T09:08:07.065Z","event":"handshake","id":"00000000000000010000000000000002","client":"10.0.0.7:4711",
            "backend":"","endpoint":"","path":"/ws","outcome":"no_route","status":404,"attempts":0,"handshakeMs":7}
            """.ReplaceLineEndings(""),
            line);
    }

    [Theory]
    [InlineData("/a\"b\\c\u0001\n</script>ü", "/a\"b\\c\u0001\n</script>ü")]
    [InlineData("", "")]
    public void A_path_is_escaped(string path, string expected) => Assert.Equal(expected, PathOf(Encoding.UTF8.GetBytes(path)));

    [Fact]
    public void A_path_that_is_not_utf8_does_not_break_the_line()
    {
        Assert.Equal("/\uFFFD\uFFFDx\uFFFD", PathOf([(byte)'/', 0xC3, 0xFF, (byte)'x', 0xE2, 0x82]));
        byte[] full = [.. Enumerable.Repeat((byte)0xFF, PathBytes.Length)];
        Assert.Equal(new string('\uFFFD', PathBytes.Length), PathOf(full));
    }

    [Fact]
    public void A_client_of_ip_version_6_is_written_with_brackets()
    {
        var end = End();
        end.Client = NativeAddress.From(new IPEndPoint(IPAddress.Parse("2001:db8::1"), 443));
        var line = Assert.Single(Lines(log => log.OnPairEnded(in end, _fixture.Chat, _fixture.Chat.Endpoints[0])));

        Assert.Equal("[2001:db8::1]:443", JsonDocument.Parse(line).RootElement.GetProperty("client").GetString());
    }

    [Fact]
    public void A_line_comes_while_the_log_is_in_use()
    {
        using var server = new AnonymousPipeServerStream(PipeDirection.In);
        using var client = new AnonymousPipeClientStream(PipeDirection.Out, server.ClientSafePipeHandle);
        using var log = new AccessLog(client, _fixture.Runtime.Time);
        using var reader = new StreamReader(server);
        for (ulong i = 1; i <= 3; i++)
        {
            log.OnPairEnded(End(i), _fixture.Chat, _fixture.Chat.Endpoints[0]);
            Assert.Contains("0" + i + "\"", reader.ReadLine(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Lines_of_many_threads_all_come_whole()
    {
        const int PerThread = 5000;
        using var output = new MemoryStream();
        var log = new AccessLog(output, _fixture.Runtime.Time, capacity: 4 * 8192);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < PerThread; i++)
                log.OnPairEnded(End((ulong)((thread * PerThread) + i)), _fixture.Chat, _fixture.Chat.Endpoints[0]);
        })));
        log.Dispose();

        var ids = Split(output).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("id").GetString()).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(4 * PerThread, ids.Count);
        Assert.Equal(0, log.Dropped);
    }

    [Fact]
    public void A_stuck_output_costs_lines_and_blocks_nobody()
    {
        using var output = new GatedStream();
        using var log = new AccessLog(output, _fixture.Runtime.Time, capacity: 8);
        var first = End();
        log.OnPairEnded(in first, _fixture.Chat, _fixture.Chat.Endpoints[0]);
        output.Entered.Wait();
        for (var i = 0; i < 100; i++)
            log.OnPairEnded(in first, _fixture.Chat, _fixture.Chat.Endpoints[0]);
        Assert.Equal(92, log.Dropped);

        output.Gate.Set();
        log.Dispose();

        Assert.Equal(9, Split(output.Written).Count);
        Assert.Equal(92, log.Dropped);
    }

    [Fact]
    public void A_stop_does_not_wait_for_ever_for_a_stuck_output()
    {
        using var output = new GatedStream();
        var log = new AccessLog(output, _fixture.Runtime.Time, capacity: 8);
        log.OnPairEnded(End(), _fixture.Chat, _fixture.Chat.Endpoints[0]);
        output.Entered.Wait();

        log.Dispose();
        log.OnPairEnded(End(), _fixture.Chat, _fixture.Chat.Endpoints[0]);

        Assert.Equal(1, log.Dropped);
        output.Gate.Set();
    }

    [Fact]
    public void A_closed_pipe_costs_lines_which_are_counted()
    {
        var server = new AnonymousPipeServerStream(PipeDirection.In);
        using var client = new AnonymousPipeClientStream(PipeDirection.Out, server.ClientSafePipeHandle);
        using var handle = new SafeFileHandle(client.SafePipeHandle.DangerousGetHandle(), ownsHandle: false);
        using var output = AccessLog.OpenOutput(handle);
        Assert.NotNull(output);
        server.Dispose();
        var log = new AccessLog(output, _fixture.Runtime.Time);
        for (var i = 0; i < 20; i++)
            log.OnPairEnded(End(), _fixture.Chat, _fixture.Chat.Endpoints[0]);
        log.Dispose();

        Assert.Equal(20, log.Dropped);
    }

    [Fact]
    public void A_regular_file_is_left_to_a_stream_that_appends()
    {
        var path = Path.GetTempFileName();
        using (var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Write))
            Assert.Null(AccessLog.OpenOutput(handle));
        File.Delete(path);
    }

    [Fact]
    public void After_a_failed_write_the_next_line_stands_alone()
    {
        using var output = new GatedStream { FailAfterHalf = true };
        var log = new AccessLog(output, _fixture.Runtime.Time);
        log.OnPairEnded(End(1), _fixture.Chat, _fixture.Chat.Endpoints[0]);
        output.Entered.Wait();
        log.OnPairEnded(End(2), _fixture.Chat, _fixture.Chat.Endpoints[0]);
        output.Gate.Set();
        log.Dispose();

        var last = Split(output.Written)[^1];
        Assert.Equal("00000000000000000000000000000002", JsonDocument.Parse(last).RootElement.GetProperty("id").GetString());
        Assert.Equal(1, log.Dropped);
    }

    [Fact]
    public void A_log_that_is_off_writes_and_counts_nothing()
    {
        using var output = new MemoryStream();
        var log = new AccessLog(output, _fixture.Runtime.Time, enabled: false);
        log.OnPairEnded(End(), _fixture.Chat, _fixture.Chat.Endpoints[0]);
        log.Dispose();

        Assert.Equal(0, output.Length);
        Assert.Equal(0, log.Dropped);
    }

    [Fact]
    public void The_ring_keeps_order_over_many_laps_and_refuses_when_full()
    {
        var ring = new RecordRing<int>(4);
        Assert.False(ring.TryDequeue(out _));
        for (int lap = 0, next = 0; lap < 100; lap++)
        {
            for (var i = 0; i < 4; i++)
                Assert.True(ring.TryEnqueue(next + i));
            Assert.False(ring.TryEnqueue(-1));
            Assert.Equal(4, ring.Count);
            for (var i = 0; i < 4; i++, next++)
            {
                Assert.True(ring.TryDequeue(out var value));
                Assert.Equal(next, value);
            }
        }

        Assert.Equal(0, ring.Count);
    }

    private static List<string> Split(MemoryStream output) =>
        [.. Encoding.UTF8.GetString(output.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries)];

    private PairEnd End(ulong number = 1) => _fixture.End(EndReason.UpstreamClose, EndSide.Upstream, _fixture.Chat.Endpoints[0], number);

    private string? PathOf(byte[] path)
    {
        var end = End();
        end.Path = TelemetryFixture.Path(path);
        var line = Assert.Single(Lines(log => log.OnPairEnded(in end, _fixture.Chat, _fixture.Chat.Endpoints[0])));
        return JsonDocument.Parse(line).RootElement.GetProperty("path").GetString();
    }

    private List<string> Lines(Action<AccessLog> use)
    {
        using var output = new MemoryStream();
        var log = new AccessLog(output, _fixture.Runtime.Time);
        use(log);
        log.Dispose();
        Assert.Equal((byte)'\n', output.ToArray()[^1]);
        return Split(output);
    }

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    /// <summary>Lets no write through before its gate opens.</summary>
    private sealed class GatedStream : Stream
    {
        private int _writes;

        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Gate { get; } = new();

        public MemoryStream Written { get; } = new();

        /// <summary>The first write fails after half of its bytes.</summary>
        public bool FailAfterHalf { get; init; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Entered.Set();
            Gate.Wait();
            if (FailAfterHalf && _writes++ == 0)
            {
                Written.Write(buffer[..(buffer.Length / 2)]);
                throw new IOException("planted");
            }

            Written.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
