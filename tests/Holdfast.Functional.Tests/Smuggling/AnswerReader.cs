using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Holdfast.Functional.Tests.Smuggling;

/// <param name="IsWhole">False: it broke off.</param>
internal sealed record Answer(int Status, string Head, string Body, bool IsWhole)
{
    public bool IsClosing => Head.Contains("\r\nConnection: close", StringComparison.OrdinalIgnoreCase);
}

/// <summary>Reads the answers on a client's connection, strictly; interim ones are passed over. Closing is read from the connection, never guessed from time.</summary>
internal sealed class AnswerReader(Stream stream)
{
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly StringBuilder _text = new();
    private bool _ended;

    /// <summary>The connection was reset instead of ended in order.</summary>
    public bool IsReset { get; private set; }

    /// <summary>What has come behind the answers read so far.</summary>
    public string Rest => _text.ToString();

    /// <summary>The next answer; null: the connection ended before one.</summary>
    /// <param name="isHead">It answers a HEAD.</param>
    public async Task<Answer?> NextAsync(bool isHead)
    {
        while (true)
        {
            int end;
            while ((end = _text.ToString().IndexOf("\r\n\r\n", StringComparison.Ordinal)) < 0)
            {
                if (!await MoreAsync())
                    return _text.Length == 0 ? null : new Answer(0, Take(_text.Length), "", IsWhole: false);
            }

            var head = Take(end + 4);
            if (!head.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) || !int.TryParse(head.AsSpan(9, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var status))
                throw new InvalidDataException("no answer: " + Parts.Shown(head));
            if (status is >= 100 and < 200 && status != 101)
                continue;
            if (isHead || status is 101 or 204 or 304)
                return new Answer(status, head, "", IsWhole: true);
            if (ValueOf(head, "Transfer-Encoding") is not null)
                return await ChunkedAsync(status, head);
            var length = ValueOf(head, "Content-Length") is { } given ? int.Parse(given, NumberStyles.None, CultureInfo.InvariantCulture) : int.MaxValue;
            while (_text.Length < length)
            {
                if (!await MoreAsync())
                    return new Answer(status, head, Take(_text.Length), IsWhole: length == int.MaxValue && !IsReset);
            }

            return new Answer(status, head, Take(length), IsWhole: true);
        }
    }

    /// <summary>Reads to the end of the connection: all that came.</summary>
    public async Task<string> ToEndAsync()
    {
        while (await MoreAsync())
        {
            // Goes on to the end.
        }

        return Take(_text.Length);
    }

    /// <summary>What comes next, answers or not; null: the end.</summary>
    public async Task<string?> PieceAsync() => _text.Length > 0 || await MoreAsync() ? Take(_text.Length) : null;

    private async Task<Answer> ChunkedAsync(int status, string head)
    {
        var body = new StringBuilder();
        while (true)
        {
            int line;
            while ((line = _text.ToString().IndexOf("\r\n", StringComparison.Ordinal)) < 0)
            {
                if (!await MoreAsync())
                    return new Answer(status, head, body.ToString(), IsWhole: false);
            }

            var size = int.Parse(Take(line + 2).AsSpan(0, line), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            while (_text.Length < size + 2)
            {
                if (!await MoreAsync())
                    return new Answer(status, head, body.ToString(), IsWhole: false);
            }

            var chunk = Take(size + 2);
            if (!chunk.EndsWith("\r\n", StringComparison.Ordinal))
                throw new InvalidDataException("no chunk: " + Parts.Shown(chunk));
            if (size == 0)
                return new Answer(status, head, body.ToString(), IsWhole: true);
            body.Append(chunk, 0, size);
        }
    }

    private async Task<bool> MoreAsync()
    {
        if (_ended)
            return false;
        try
        {
            var n = await stream.ReadAsync(_buffer);
            _text.Append(Parts.Text(_buffer.AsSpan(0, n)));
            _ended = n == 0;
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset } || e is not { InnerException: SocketException })
        {
            _ended = IsReset = true;
        }

        return !_ended;
    }

    private string Take(int count)
    {
        var taken = _text.ToString(0, count);
        _text.Remove(0, count);
        return taken;
    }

    private static string? ValueOf(string head, string name) => Testing.Upgrades.Value(head, name);
}
