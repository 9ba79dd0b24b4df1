using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Holdfast.Relay.Interop;

namespace Holdfast.Bench.Backend;

/// <summary>Plain requests: <c>/bytes/N</c> has N bytes, everything else none. The connection is kept alive; one request at a time, as proxies send them.</summary>
internal sealed partial class EchoConnection
{
    private static readonly byte[] Path = "/bytes/"u8.ToArray();
    private long _pageLeft;

    private bool TryAnswerPage(ReadOnlySpan<byte> head)
    {
        var isGet = head.StartsWith("GET "u8);
        if (!isGet && !head.StartsWith("HEAD "u8))
            return false;
        var length = 0L;
        var target = head[(head.IndexOf((byte)' ') + 1)..];
        if (target.StartsWith(Path) && !Utf8Parser.TryParse(target[Path.Length..], out length, out _))
            return false;
        Append(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n")));
        if (!isGet)
            return true;

        // A small page goes with its head; of a large one what the socket takes.
        var first = (int)Math.Min(length, 64 * 1024);
        buffers.Output.AsSpan(_outputLength, first).Fill((byte)'x');
        _outputLength += first;
        _pageLeft = length - first;
        return true;
    }

    /// <summary>Whatever lies in the output buffer: nobody looks at it.</summary>
    private void SendPage()
    {
        while (_pageLeft > 0 && _unsentLength == 0)
        {
            var n = Sys.Send(fd, buffers.Output.AsSpan(0, (int)Math.Min(_pageLeft, buffers.Output.Length)));
            if (n <= 0)
                return;
            _pageLeft -= n;
        }
    }
}
