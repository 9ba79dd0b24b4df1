using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Holdfast.Gateway.Forwarding;
using Microsoft.AspNetCore.Http;

namespace Holdfast.Fuzz.Http1;

/// <summary>
/// Runs a guard over a scripted stream as Kestrel and an application would: heads are taken whole, bodies in parts that chance decides, the application is done before its body
/// has been read or after. What comes out is written down; that nothing comes which may not is demanded at once.
/// </summary>
internal sealed class GuardRun
{
    private readonly ScriptedReader _inner;
    private readonly MemoryStream _answers = new();
    private readonly RequestGuard _guard;
    private readonly Random _random;
    private readonly List<SeenRequest> _requests = [];

    private GuardRun(byte[] stream, IEnumerable<int> pieces, Random random)
    {
        _inner = new ScriptedReader(stream, pieces);
        _random = random;
        _guard = new RequestGuard(
            new RequestGuards(TimeProvider.System), new DuplexPipe(_inner, PipeWriter.Create(_answers)), new ClientConnection(0, default, isTls: false), socket: null);
    }

    public static SeenStream Run(byte[] stream, IEnumerable<int> pieces, Random random, bool approves) => Run(stream, pieces, random, approves, out _);

    /// <param name="answer">What the guard itself has written.</param>
    public static SeenStream Run(byte[] stream, IEnumerable<int> pieces, Random random, bool approves, out string answer)
    {
        var run = new GuardRun(stream, pieces, random);
        using (run._guard)
        {
            var seen = run.Run(approves);
            answer = Encoding.Latin1.GetString(run._answers.ToArray());
            return seen with { Status = answer.Length == 0 ? 0 : int.Parse(answer.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture) };
        }
    }

    private SeenStream Run(bool approves)
    {
        while (true)
        {
            var read = Read();
            if (read.Buffer.IsEmpty)
            {
                FuzzFailure.Unless(read.IsCompleted, "an empty read that is not the end");
                FuzzFailure.Unless(Read().IsCompleted, "something after the end");
                return new SeenStream(_requests, 0, _answers.Length > 0 ? StreamEnd.Refused : StreamEnd.Clean, "");
            }

            var head = Encoding.Latin1.GetString(read.Buffer);
            FuzzFailure.UnlessEqual(head.Length, head.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4, "the shown head's end");
            _guard.AdvanceTo(read.Buffer.End);
            var words = head.Split(' ');
            var request = _guard.Claim(words[0], words[1]);
            FuzzFailure.Unless(request is not null, "the head shown is not the head kept");
            var (isUpgrade, framing) = (request!.IsUpgrade, request.Framing);
            if (TryReadBody(head, framing, out var body) is { } end)
            {
                _requests.Add(new SeenRequest(head, end == StreamEnd.Broken ? "" : body));
                return new SeenStream(_requests, 0, end, "");
            }

            _requests.Add(new SeenRequest(head, body));
            if (isUpgrade)
                return new SeenStream(_requests, 0, StreamEnd.Upgrade, Open(approves, hasBody: framing != Wire.Http1.BodyFraming.None));
            _guard.Release();
        }
    }

    /// <summary>Null: the body came whole.</summary>
    private StreamEnd? TryReadBody(string head, Wire.Http1.BodyFraming framing, out string body)
    {
        body = "";
        if (framing == Wire.Http1.BodyFraming.None)
            return null;
        var raw = new StringBuilder();
        var left = framing == Wire.Http1.BodyFraming.Length ? LengthOf(head) : long.MaxValue;
        var seen = 0L;
        while (true)
        {
            ReadResult read;
            try
            {
                read = Read();
            }
            catch (BadHttpRequestException)
            {
                return StreamEnd.Broken;
            }

            var shown = read.Buffer;
            FuzzFailure.Unless(shown.Length <= left, "more was shown than the body has");
            // What has been examined once stays so. A reader that has examined the whole, leaves some of it and asks for more is told that there is no more: another test's.
            var taken = read.IsCompleted || _random.Next(3) > 0 ? shown.Length : _random.NextInt64(shown.Length + 1);
            var examined = _random.Next(2) == 0 ? shown.Length : Math.Max(taken, seen);
            if (examined == shown.Length && IsWhole(raw.ToString(), shown, left, framing))
                taken = shown.Length;
            raw.Append(Encoding.Latin1.GetString(shown.Slice(0, taken)));
            (left, seen) = (left - taken, examined - taken);
            _guard.AdvanceTo(shown.GetPosition(taken), shown.GetPosition(examined));
            var isDone = framing == Wire.Http1.BodyFraming.Length ? left == 0 : ChunkedOracle.Run(Encoding.Latin1.GetBytes(raw.ToString()), isStrict: true).Status == Wire.Http1.ChunkStatus.Done;
            if (!isDone && !read.IsCompleted)
                continue;
            body = framing == Wire.Http1.BodyFraming.Length ? raw.ToString() : RequestOracle.Decode(raw.ToString());
            return isDone ? null : StreamEnd.Cut;
        }
    }

    private static bool IsWhole(string taken, ReadOnlySequence<byte> rest, long left, Wire.Http1.BodyFraming framing) => framing == Wire.Http1.BodyFraming.Length
        ? rest.Length == left
        : ChunkedOracle.Run([.. Encoding.Latin1.GetBytes(taken), .. rest.ToArray()], isStrict: true).Status == Wire.Http1.ChunkStatus.Done;

    private static long LengthOf(string head) => long.Parse(
        head.Split("\r\n").Single(l => l.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase))[15..].Trim(' ', '\t'), System.Globalization.CultureInfo.InvariantCulture);

    private string Open(bool approves, bool hasBody)
    {
        FuzzFailure.UnlessEqual(approves && !hasBody, approves && _guard.TryApprove(), "approved");
        if (!approves)
            _guard.Release();
        var all = new StringBuilder();
        while (true)
        {
            var read = Read();
            all.Append(Encoding.Latin1.GetString(read.Buffer));
            _guard.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
                return all.ToString();
        }
    }

    private ReadResult Read()
    {
        if (_random.Next(4) == 0 && _guard.TryRead(out var result))
            return result;
        var read = _guard.ReadAsync().AsTask();
        FuzzFailure.Unless(read.IsCompleted, "a read waits, though everything comes at once");
#pragma warning disable VSTHRD002 // It has completed.
        return read.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002
    }
}
