using System.Security.Cryptography;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Configuration;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Affinity;

/// <summary>What authenticates the affinity cookies: the files that the configuration names, or random bytes of this gateway's own. Never told to anyone. Thread-safe.</summary>
internal sealed class AffinitySecrets
{
    /// <summary>Bytes without white space around them: as many as HMAC-SHA256 has use for.</summary>
    public const int Least = 32;

    /// <summary>Bytes. More is no secret but the wrong file.</summary>
    public const int Most = 4096;

    private readonly byte[] _own = RandomNumberGenerator.GetBytes(Least);
    private volatile Dictionary<string, byte[]> _files = [];

    /// <summary>Reads every file that the configuration names, before it is applied. Throws <see cref="IOException"/> that names key and file, having changed nothing.</summary>
    public void Load(GatewayConfiguration configuration)
    {
        var files = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var backend in configuration.Backends)
        {
            if (backend.Affinity.Cookie?.SecretFile is { } file && !files.ContainsKey(file))
                files.Add(file, Read(file, $"backends.{backend.Name}.affinity.cookie.secretFile"));
        }

        _files = files;
    }

    public ReadOnlySpan<byte> Of(AffinityCookieOptions cookie) => cookie.SecretFile is not { } file
        ? _own
        : _files.GetValueOrDefault(file) ?? throw new InvalidOperationException("The secrets were not loaded for this configuration.");

    private static byte[] Read(string file, string key)
    {
        var error = FileBytes.Read(file, Most + 1, out var bytes);
        if (error != 0)
            throw new IOException($"{key}: {file}: {ConfigurationContent.Describe(error)}");
        if (bytes.Length > Most)
            throw new IOException($"{key}: {file}: the file is over {Most} bytes; a secret of 32 random bytes or more is enough");
        var secret = bytes.AsSpan().Trim(" \t\r\n"u8).ToArray();
        return secret.Length >= Least
            ? secret
            : throw new IOException($"{key}: {file}: the secret has {secret.Length} bytes, at least {Least} are needed; make one with: openssl rand -hex 32");
    }
}
