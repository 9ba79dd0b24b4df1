using System.Text;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Health;

/// <summary>
/// A check's connection: sends, and keeps of what it reads only what nobody has taken yet, in a buffer that never grows. One thread at a time.
/// </summary>
internal sealed class CheckStream(Stream connection)
{
    /// <summary>Bytes of all heads of an answer at most, interim ones included: as on the loops.</summary>
    public const int MaxHead = 32 * 1024;

    private readonly byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    /// <summary>What has been read and not been taken.</summary>
    public ReadOnlySpan<byte> Unread => _buffer.AsSpan(_start, _end - _start);

    public void Take(int count) => _start += count;

    public ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel) => connection.WriteAsync(bytes, cancel);

    public ValueTask SendAsync(string text, CancellationToken cancel) => SendAsync(Encoding.ASCII.GetBytes(text), cancel);

    /// <summary>Reads more behind what is unread. False: the peer has ended its direction. What is unread must leave room.</summary>
    public async Task<bool> ReadAsync(CancellationToken cancel)
    {
        Unread.CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        var read = await connection.ReadAsync(_buffer.AsMemory(_end), cancel).ConfigureAwait(false);
        _end += read;
        return read > 0;
    }

    /// <summary>The head of the answer that counts, not an interim one but a 101; what follows it stays unread. Empty when there is a fault.</summary>
    public async Task<(byte[] Head, CheckResult? Fault)> ReadHeadAsync(CancellationToken cancel)
    {
        var head = new List<byte>();
        var all = 0;
        while (true)
        {
            if (_start == _end && !await ReadAsync(cancel).ConfigureAwait(false))
                return ([], CheckResult.Ended);
            var searched = head.Count;
            head.AddRange(Unread);
            var end = HeadEnd.Find(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(head), searched);
            var taken = (end < 0 ? head.Count : end) - searched;
            Take(taken);
            all += taken;
            if (all > MaxHead)
                return ([], new CheckResult(CheckOutcome.BadAnswer, "the head of its answer is over 32 KiB"));
            if (end < 0)
                continue;
            var bytes = head.GetRange(0, end).ToArray();
            if (ResponseHead.TryParse(bytes, out var parsed) != ResponseFault.None || parsed.Status is 101 or >= 200)
                return (bytes, null);
            head.Clear();
        }
    }
}
