using System.Security.Cryptography;
using Holdfast.Api.Configuration;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Configuration;

/// <summary>What a configuration file held at one moment: its bytes, or why there were none to read. Immutable.</summary>
public sealed class ConfigurationContent
{
    private readonly byte[] _bytes;
    private readonly string? _unreadable;

    private ConfigurationContent(string path, byte[] bytes, string? unreadable = null, bool canChange = true)
    {
        Path = path;
        _bytes = bytes;
        _unreadable = unreadable;
        CanChange = canChange;
        Identity = new ContentIdentity(Convert.ToHexStringLower(SHA256.HashData(bytes)), unreadable);
    }

    public string Path { get; }

    internal ContentIdentity Identity { get; }

    /// <summary>False for a pipe, which is read once and then gone: there is nothing to watch.</summary>
    internal bool CanChange { get; }

    /// <summary>
    /// Reads the file for the gateway's start. A pipe, such as a shell's <c>&lt;(…)</c> or a FIFO, is waited for and read to its end.
    /// </summary>
    public static ConfigurationContent ReadAtStart(string path)
    {
        try
        {
            // Opened once: a FIFO's writer that has met a reader goes, and does not come again.
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            if (!stream.CanSeek)
            {
                var bytes = new byte[ConfigurationReader.MaxFileBytes + 1];
                Array.Resize(ref bytes, stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false));
                return new ConfigurationContent(path, bytes, canChange: false);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            // Below it fails again, and says why.
        }

        return Read(path);
    }

    /// <summary>The configuration, or every fault.</summary>
    public ConfigurationResult Parse() =>
        _unreadable is null ? ConfigurationReader.Read(_bytes, Path) : ConfigurationReader.Unreadable(Path, _unreadable);

    /// <summary>Reads what is there now. Waits for a disk or a file server, for nothing else, and never reads more than the largest configuration.</summary>
    internal static ConfigurationContent Read(string path) =>
        Create(path, FileBytes.Read(path, ConfigurationReader.MaxFileBytes + 1, out var bytes), bytes);

    private static ConfigurationContent Create(string path, int error, byte[] bytes) => error == 0
        ? new ConfigurationContent(path, bytes)
        : new ConfigurationContent(path, [], Describe(error));

    /// <summary>Why a file could not be read.</summary>
    /// <param name="error">As <see cref="FileBytes.Read"/> gave it.</param>
    internal static string Describe(int error) => (Errno)(-error) switch
    {
        Errno.NoSuchFile or Errno.NotADirectory => "there is no such file",
        Errno.IsADirectory => "the file cannot be read: it is a directory",
        Errno.IllegalSeek => "the file cannot be read: it is a pipe",
        Errno.AccessDenied => "the file cannot be read: no permission",
        Errno.TooManyLinks => "the file cannot be read: its symbolic links lead in a circle",
        _ => FormattableString.Invariant($"the file cannot be read: the system refused (errno {-error})"),
    };
}

/// <summary>What tells two contents apart.</summary>
/// <param name="Hash">SHA-256 of the bytes, 64 lower-case hexadecimal digits.</param>
/// <param name="Unreadable">Why there are no bytes; null when there are.</param>
internal readonly record struct ContentIdentity(string Hash, string? Unreadable);
