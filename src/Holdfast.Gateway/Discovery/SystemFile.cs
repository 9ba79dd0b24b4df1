using System.Text;

namespace Holdfast.Gateway.Discovery;

/// <summary>
/// A small file of the system's that is read again when it changes. By its text, at most once a second: times and inodes mislead where
/// the file is a symbolic link or a bind mount. While it cannot be read, what was read last counts. Thread-safe.
/// </summary>
internal sealed class SystemFile<T>(string path, Func<string, T> parse, TimeProvider time)
{
    /// <summary>What is behind it in a longer file is not read.</summary>
    private const int MostBytes = 1024 * 1024;

    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private string _text = "";
    private T _parsed = parse("");
    private long? _readAt;

    public T Current
    {
        get
        {
            lock (_gate)
            {
                var now = time.GetTimestamp();
                if (_readAt is { } before && time.GetElapsedTime(before, now) < MaxAge)
                    return _parsed;
                _readAt = now;
                if (Read() is { } text && text != _text)
                    (_text, _parsed) = (text, parse(text));
                return _parsed;
            }
        }
    }

    private string? Read()
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[Math.Min(file.Length, MostBytes)];
            var count = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return Encoding.UTF8.GetString(bytes, 0, count);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }
}
