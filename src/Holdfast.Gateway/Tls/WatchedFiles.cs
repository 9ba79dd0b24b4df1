using System.Security.Cryptography;
using Holdfast.Gateway.Configuration;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Tls;

/// <summary>
/// Files that are read together, and what they hold: what could be read last stays in force. One thread at a time writes, under the store's lock; any reads.
/// </summary>
internal abstract class WatchedFiles
{
    private Settling? _settling;

    /// <param name="key">The first key of the configuration that names them: for messages.</param>
    protected WatchedFiles(string key, params string[] paths) => (Key, Paths) = (key, paths);

    public string Key { get; }

    public IReadOnlyList<string> Paths { get; }

    /// <summary>When what is in force ends to be valid.</summary>
    public abstract DateTimeOffset ExpiresAt { get; }

    /// <summary>When what is in force begins to be valid.</summary>
    public virtual DateTimeOffset ValidFrom => DateTimeOffset.MinValue;

    /// <summary>Reads the files as they are now. Waits for a disk or a file server, for nothing else.</summary>
    public FileContents Read() => new(Paths);

    /// <summary>The first contents, before anyone uses them. Throws <see cref="IOException"/> that names key and file.</summary>
    public void Load()
    {
        var contents = Read();
        if (TryTake(contents) is { } fault)
            throw new IOException(fault);
        _settling = new Settling(ConfigurationWatcher.Stillness, ConfigurationWatcher.Poll, contents.Identity);
    }

    /// <summary>Whether contents are new and have stood still: each is judged once.</summary>
    /// <param name="now">Since any one moment.</param>
    public bool IsDue(FileContents contents, TimeSpan now, out TimeSpan next) => _settling!.Offer(contents.Identity, now, asked: false, out next);

    /// <summary>Puts contents in force. Not null: why not, with key and file; then nothing has changed.</summary>
    public string? TryTake(FileContents contents)
    {
        if (contents.Fault is { } unreadable)
            return $"{Key}: {unreadable}";
        try
        {
            Take(contents);
            return null;
        }
        catch (PemFault fault)
        {
            return fault.IsKey ? $"{KeyOfKey}: {Paths[^1]}: {fault.Message}" : $"{Key}: {Paths[0]}: {fault.Message}";
        }
    }

    public override string ToString() => Paths[0];

    /// <summary>The key that names the last of the files, where that is a private key.</summary>
    protected virtual string KeyOfKey => Key;

    /// <summary>Throws <see cref="PemFault"/>, having changed nothing.</summary>
    protected abstract void Take(FileContents contents);
}

/// <summary>A certificate and its key.</summary>
internal sealed class CertificatePair(string key, string keyOfKey, Api.Configuration.CertificateFiles files) : WatchedFiles(key, files.Certificate, files.Key)
{
    private volatile LoadedCertificate? _current;

    public LoadedCertificate Current => _current!;

    public override DateTimeOffset ExpiresAt => Current.ExpiresAt;

    public override DateTimeOffset ValidFrom => Current.ValidFrom;

    protected override string KeyOfKey => keyOfKey;

    protected override void Take(FileContents contents) => _current = PemFiles.ReadPair(contents[0], contents[1]);
}

/// <summary>A file of authorities.</summary>
internal sealed class AuthoritiesFile(string key, string path) : WatchedFiles(key, path)
{
    private volatile Authorities? _current;

    public Authorities Current => _current!;

    public override DateTimeOffset ExpiresAt => Current.ExpiresAt;

    protected override void Take(FileContents contents) => _current = PemFiles.ReadAuthorities(contents[0]);
}

/// <summary>What several files held at about one moment.</summary>
internal sealed class FileContents
{
    private readonly byte[][] _bytes;

    public FileContents(IReadOnlyList<string> paths)
    {
        _bytes = new byte[paths.Count][];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < paths.Count; i++)
        {
            var error = FileBytes.Read(paths[i], PemFiles.Most + 1, out _bytes[i]);
            if (error != 0)
                Fault ??= $"{paths[i]}: {ConfigurationContent.Describe(error)}";
            else if (_bytes[i].Length > PemFiles.Most)
                Fault ??= $"{paths[i]}: the file is over 1 MiB; it must be PEM";
            // Of each apart: else a byte could wander from one to the other unseen.
            hash.AppendData(SHA256.HashData(_bytes[i]));
        }

        Identity = new ContentIdentity(Convert.ToHexStringLower(hash.GetHashAndReset()), Fault);
    }

    public ContentIdentity Identity { get; }

    /// <summary>Why one of them cannot be used, with its name; null: all were read.</summary>
    public string? Fault { get; }

    public ReadOnlySpan<byte> this[int index] => _bytes[index];
}
