using System.Buffers;
using System.Globalization;
using System.Text;

namespace Holdfast.Gateway.Telemetry;

/// <summary>UTF-8 text in a pooled array: a scrape's text is large, and nothing of it is kept between scrapes. One thread at a time.</summary>
internal sealed class TextBuffer
{
    private byte[] _bytes = [];
    private int _length;

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, _length);

    public bool IsEmpty => _length == 0;

    public void Append(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(Reserve(utf8.Length));
        _length += utf8.Length;
    }

    public void Append(string text) => _length += Encoding.UTF8.GetBytes(text, Reserve(Encoding.UTF8.GetMaxByteCount(text.Length)));

    public void Append(long value)
    {
        value.TryFormat(Reserve(20), out var written, default, CultureInfo.InvariantCulture);
        _length += written;
    }

    /// <summary>As Prometheus and OpenMetrics spell floats.</summary>
    public void Append(double value)
    {
        if (!double.IsFinite(value))
        {
            Append(double.IsNaN(value) ? "NaN"u8 : value > 0 ? "+Inf"u8 : "-Inf"u8);
            return;
        }

        value.TryFormat(Reserve(32), out var written, default, CultureInfo.InvariantCulture);
        _length += written;
    }

    /// <summary>Backslash and line feed are escaped, quotation marks only when asked for.</summary>
    public void AppendEscaped(string text, bool quotes)
    {
        if (text.AsSpan().IndexOfAny('\\', '\n', '"') < 0)
        {
            Append(text);
            return;
        }

        var escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        Append(quotes ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped);
    }

    /// <summary>Empties it and gives the array back.</summary>
    public void Reset()
    {
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _length = 0;
    }

    private Span<byte> Reserve(int length)
    {
        if (_bytes.Length - _length < length)
        {
            var grown = ArrayPool<byte>.Shared.Rent(Math.Max(4096, Math.Max(_length + length, _bytes.Length * 2)));
            _bytes.AsSpan(0, _length).CopyTo(grown);
            if (_bytes.Length > 0)
                ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = grown;
        }

        return _bytes.AsSpan(_length);
    }
}
