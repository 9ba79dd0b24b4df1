using System.Text;
using Holdfast.Fuzz.Http1;
using Holdfast.Gateway.Handshakes;
using Holdfast.Gateway.Listeners;
using Holdfast.Relay.Buffers;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Holdfast.Tests.Forwarding;

public sealed class RequestGuardTests
{
    private const string Get = "GET /page?q=1 HTTP/1.1\r\nHost: test.example\r\n\r\n";
    private const string Upgrade = "GET /ws HTTP/1.1\r\nHost: test.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
    private const string Chunked = "POST /up HTTP/1.1\r\nHost: test.example\r\nTransfer-Encoding: chunked\r\n\r\n";

    public static TheoryData<string, string> Streams => new()
    {
        { "pipelined", Get + "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + Get },
        { "chunked", Chunked + "5;x=y\r\nhello\r\n00000003\r\nabc\r\n0\r\nX-Trailer: v\r\nY:\r\n\r\n" + Get },
        { "bad second", Get + "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + Get },
        { "bare line feeds", Get + "GET / HTTP/1.1\nHost: a\n\n" + Get },
        { "smuggled by length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n" + Get },
        { "a request in a body", $"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {Get.Length}\r\n\r\n" + Get + Get },
        { "a request in a chunk", Chunked + $"{Get.Length:x}\r\n{Get}\r\n0\r\n\r\n" + Get },
        { "malformed chunk", Chunked + "3\r\nabcd\r\n0\r\n\r\n" + Get },
        { "chunk size over 2^31", Chunked + "80000000\r\nabc" },
        { "nine digits", Chunked + "000000003\r\nabc\r\n0\r\n\r\n" },
        { "upgrade", Get + Upgrade + "\u0081\u0002hi" + Get },
        { "upgrade with a body", Upgrade.Replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n", StringComparison.Ordinal) + "hello" + Get },
        { "cut in a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc" },
        { "cut in a head", Get + Get[..20] },
    };

    /// <summary>Whatever splits the bytes, and the memory they lie in: two cuts everywhere in the stream.</summary>
    [Theory]
    [MemberData(nameof(Streams))]
    public void However_a_stream_is_cut_the_same_requests_come_of_it(string name, string text)
    {
        var stream = Encoding.Latin1.GetBytes(text);
        var random = new Random(name.Length);
        RequestsTarget.AssertAgreement(stream, Holdfast.Fuzz.Splits.Bytes(stream.Length), random);
        for (var cut = 0; cut <= stream.Length; cut++)
        {
            RequestsTarget.AssertAgreement(stream, [cut, stream.Length - cut], random);
            var second = random.Next(stream.Length - cut + 1);
            RequestsTarget.AssertAgreement(stream, [cut, second, stream.Length - cut - second], random);
        }
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: \u0001\r\n\r\n", nameof(HeadFault.ControlByte))]
    [InlineData("GET / HTTP/1.1\nHost: a\n\n", nameof(HeadFault.ControlByte))]
    [InlineData("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", nameof(HeadFault.Malformed))]
    [InlineData("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", nameof(HeadFault.Malformed))]
    [InlineData("GET /!HTTP/1.1\r\nHost: a\r\n\r\n", nameof(HeadFault.Malformed))]
    [InlineData("PRI * HTTP/2.0\r\n\r\n", nameof(HeadFault.Malformed))]
    [InlineData("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", nameof(HeadFault.Target))]
    [InlineData("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", nameof(HeadFault.Target))]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n", nameof(HeadFault.HeaderName))]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", nameof(HeadFault.Host))]
    [InlineData("GET / HTTP/1.1\r\n\r\n", nameof(HeadFault.Host))]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", nameof(HeadFault.ContentLength))]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 00000000000000000001\r\n\r\n", nameof(HeadFault.ContentLength))]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", nameof(HeadFault.TransferEncoding))]
    [InlineData("101 lines", nameof(HeadFault.TooManyHeaders))]
    [InlineData("33 KiB", nameof(HeadFault.TooLarge))]
    public void A_bad_head_is_answered_as_on_the_loops_be_it_the_first_or_the_second(string head, string name)
    {
        var fault = Enum.Parse<HeadFault>(name);
        head = head switch
        {
            "101 lines" => "GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Repeat("A: b\r\n", 100)) + "\r\n",
            "33 KiB" => "GET / HTTP/1.1\r\nHost: a\r\nX: " + new string('a', 33 * 1024),
            _ => head,
        };
        var answer = new ByteBuffer();
        var status = Refusals.Write(answer, fault is HeadFault.TooManyHeaders or HeadFault.TooLarge ? HandshakeOutcome.HeadTooLarge : HandshakeOutcome.BadRequest, Refusals.Describe(fault));
        foreach (var first in (string[])["", Get, Get + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok"])
        {
            var stream = Encoding.Latin1.GetBytes(first + head + Get);
            var seen = GuardRun.Run(stream, [stream.Length], new Random(1), approves: false, out var written);
            Assert.Equal(Encoding.ASCII.GetString(answer.Bytes), written);
            Assert.Equal((status, StreamEnd.Refused), (seen.Status, seen.End));
            Assert.DoesNotContain(seen.Requests, r => r.Head == head);
            Assert.Equal(first.Split("HTTP/1.1").Length - 1, seen.Requests.Count);
        }
    }

    [Fact]
    public void A_slow_head_is_408_after_ten_seconds_from_its_first_byte_on_and_each_head_has_its_own()
    {
        using var pipe = new GuardedPipe();
        var read = pipe.Guard.ReadAsync().AsTask();
        pipe.Time.Advance(TimeSpan.FromHours(1));
        Assert.False(read.IsCompleted);     // Before the first byte another time-out counts.
        pipe.Send("GET / HT");
        pipe.Time.Advance(TimeSpan.FromSeconds(9.9));
        pipe.Send("TP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal("GET / HTTP/1.1\r\nHost: a\r\n\r\n", pipe.Take(read));
        Assert.NotNull(pipe.Guard.Claim("GET", "/"));
        pipe.Guard.Release();
        Assert.Equal(0, pipe.Time.Set);

        read = pipe.Guard.ReadAsync().AsTask();
        pipe.Time.Advance(TimeSpan.FromSeconds(5));
        pipe.Send("G");
        for (var i = 0; i < 9; i++)
        {
            pipe.Time.Advance(TimeSpan.FromSeconds(1));
            pipe.Send("E");
        }

        Assert.False(read.IsCompleted);
        pipe.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("$", pipe.Take(read));
        Assert.StartsWith("HTTP/1.1 408 Request Timeout\r\n", pipe.Answer, StringComparison.Ordinal);
        Assert.Equal([408], pipe.Refusals);
        Assert.Equal("$", pipe.Take());
    }

    [Fact]
    public void A_cancelled_read_loses_nothing_of_a_head()
    {
        using var pipe = new GuardedPipe();
        pipe.Send(Get[..10]);
        var read = pipe.Guard.ReadAsync().AsTask();
        Assert.False(read.IsCompleted);
        pipe.Guard.CancelPendingRead();
        Assert.Equal("!", pipe.Take(read));
        read = pipe.Guard.ReadAsync().AsTask();
        pipe.Send(Get[10..]);
        Assert.Equal(Get, pipe.Take(read));
    }

    [Fact]
    public void Nothing_of_the_next_request_is_shown_while_the_application_has_not_done_with_this_one()
    {
        using var pipe = new GuardedPipe();
        pipe.Send(Get + Get);
        Assert.Equal(Get, pipe.Take());
        Assert.NotNull(pipe.Guard.Claim("GET", "/page?q=1"));
        Assert.Equal("$", pipe.Take());
        pipe.Guard.Release();
        Assert.Equal("$", pipe.Take());     // Whoever reads out of step gets nothing any more.
    }

    [Theory]
    [InlineData("POST", "/page?q=1")]
    [InlineData("GET", "/page?q=2")]
    [InlineData("GET", "/page")]
    public void A_request_that_the_guard_has_not_seen_is_served_by_nobody(string method, string target)
    {
        using var pipe = new GuardedPipe();
        pipe.Send(Get + Get);
        _ = pipe.Take();
        Assert.Null(pipe.Guard.Claim(method, target));
        Assert.Equal("$", pipe.Take());
    }

    [Fact]
    public void A_request_is_claimed_once_and_only_when_its_head_is_taken()
    {
        using var pipe = new GuardedPipe();
        Assert.Null(pipe.Guard.Claim("GET", "/page?q=1"));
        using var other = new GuardedPipe();
        other.Send(Get);
        _ = other.Take();
        Assert.NotNull(other.Guard.Claim("GET", "/page?q=1"));
        Assert.Null(other.Guard.Claim("GET", "/page?q=1"));
    }

    [Fact]
    public void A_reader_that_leaves_some_of_a_body_and_wants_more_is_told_that_there_is_no_more()
    {
        using var pipe = new GuardedPipe();
        pipe.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" + Get);
        _ = pipe.Take();
        Assert.NotNull(pipe.Guard.Claim("POST", "/"));
        Assert.True(pipe.Guard.TryRead(out var result));
        pipe.Guard.AdvanceTo(result.Buffer.GetPosition(1), result.Buffer.End);
        Assert.Equal("$", pipe.Take());
    }

    [Fact]
    public void A_malformed_chunk_breaks_the_body_for_good()
    {
        using var pipe = new GuardedPipe();
        pipe.Send(Chunked + "3\r\nabc\r\n");
        _ = pipe.Take();
        Assert.NotNull(pipe.Guard.Claim("POST", "/up"));
        Assert.Equal("3\r\nabc\r\n", pipe.Take());
        pipe.Send("3 \r\nabc\r\n0\r\n\r\n" + Get);
        for (var i = 0; i < 3; i++)
            Assert.Equal(400, Assert.Throws<BadHttpRequestException>(() => { _ = pipe.Guard.ReadAsync().AsTask(); }).StatusCode);
    }

    [Fact]
    public void Behind_an_upgrade_there_is_nothing_until_it_is_approved_and_then_everything()
    {
        using var pipe = new GuardedPipe();
        pipe.Send(Upgrade + "early");
        Assert.Equal(Upgrade, pipe.Take());
        Assert.NotNull(pipe.Guard.Claim("GET", "/ws"));
        Assert.True(pipe.Guard.TryApprove());
        pipe.Guard.Release();
        Assert.Equal("early", pipe.Take());
        pipe.Send("\n\n" + Get + Get);
        Assert.Equal("\n\n" + Get + Get, pipe.Take());

        using var refused = new GuardedPipe();
        refused.Send(Upgrade + Get);
        _ = refused.Take();
        Assert.NotNull(refused.Guard.Claim("GET", "/ws"));
        refused.Guard.Release();
        Assert.Equal("$", refused.Take());
        Assert.False(refused.Guard.TryApprove());
    }

    [Fact]
    public void A_client_that_ends_its_direction_behind_a_whole_request_has_sent_a_whole_request()
    {
        using var pipe = new GuardedPipe();
        pipe.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        pipe.Finish();
        Assert.EndsWith("\r\n\r\n", pipe.Take(), StringComparison.Ordinal);
        Assert.NotNull(pipe.Guard.Claim("POST", "/"));
        Assert.Equal("body", pipe.Take());
        pipe.Guard.Release();
        Assert.Equal("$", pipe.Take());
    }

    /// <summary>A head of 380 bytes, as browsers send. The time of one, pipe included, is told, not judged.</summary>
    [Fact]
    public void Requests_in_the_steady_state_allocate_nothing()
    {
        using var pipe = new GuardedPipe();
        var head = Encoding.Latin1.GetBytes(Get[..^2] + "Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, br\r\nCookie: " + new string('c', 180) + "\r\nAccept-Language: en\r\n\r\n");
        Action serve = () =>
        {
            pipe.Send(head);
            pipe.Pass();
            _ = pipe.Guard.Claim("GET", "/page?q=1");
            pipe.Guard.Release();
        };
        Allocations.AssertNone(serve);
        const int Count = 100_000;
        var before = Environment.CpuUsage.UserTime;
        for (var i = 0; i < Count; i++)
            serve();
        TestContext.Current.TestOutputHelper?.WriteLine($"{(Environment.CpuUsage.UserTime - before).TotalNanoseconds / Count:F0} ns of CPU for {head.Length} bytes");
    }
}
