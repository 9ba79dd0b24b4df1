using System.Security.Cryptography;
using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Relay.Interop;
using Microsoft.Extensions.Primitives;

namespace Holdfast.Gateway.Admin;

/// <summary>
/// The bearer token of the admin API. A token file is read again for every request that needs it, so that a rotated secret counts at once; a
/// file that cannot be read or holds no token leaves the last good one in force. Options are swapped whole. Thread-safe.
/// </summary>
internal sealed class AdminToken
{
    private const string Scheme = "Bearer ";

    /// <summary>Bytes; longer ones are refused, so that comparing takes the same time for all.</summary>
    private const int MaxLength = 512;

    private const int MinLength = 16;

    private volatile Source _source;

    public AdminToken(AdminOptions options) => _source = new Source(options);

    /// <summary>False: the API is open.</summary>
    public bool IsRequired => _source.IsRequired;

    /// <summary>Puts another token in force for the requests that follow.</summary>
    public void Apply(AdminOptions options)
    {
        // The last good token of an unchanged file stays.
        if (!_source.Holds(options))
            _source = new Source(options);
    }

    /// <summary>Whether the request's Authorization lets it pass. In constant time for all tokens.</summary>
    public bool Accepts(StringValues authorization)
    {
        var source = _source;
        if (!source.IsRequired)
            return true;
        var expected = source.Current();
        if (expected is null || authorization.Count != 1 || authorization[0] is not { } given)
            return false;
        return given.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) && Equal(given.AsSpan(Scheme.Length).Trim(), expected);
    }

    private static bool Equal(ReadOnlySpan<char> given, string expected)
    {
        Span<byte> a = stackalloc byte[MaxLength], b = stackalloc byte[MaxLength];
        a.Clear();
        b.Clear();
        if (!Encoding.UTF8.TryGetBytes(given, a, out var lengthA) || !Encoding.UTF8.TryGetBytes(expected, b, out var lengthB))
            return false;
        // Padded, so that not even the length shows in the time.
        return CryptographicOperations.FixedTimeEquals(a, b) & (lengthA == lengthB);
    }

    /// <summary>Where the token comes from.</summary>
    private sealed class Source(AdminOptions options)
    {
        private readonly string? _file = options.TokenFile;
        private volatile string? _token = options.Token;

        public bool IsRequired => _file is not null || _token is not null;

        public bool Holds(AdminOptions other) => _file is not null ? _file == other.TokenFile : other.TokenFile is null && _token == other.Token;

        public string? Current()
        {
            if (_file is null)
                return _token;
            // An error leaves the last good one, and so does one that is too short: it is just being written.
            if (FileBytes.Read(_file, MaxLength + 64, out var bytes) == 0)
            {
                var token = Encoding.UTF8.GetString(bytes).Trim();
                if (token.Length >= MinLength && Encoding.UTF8.GetByteCount(token) <= MaxLength)
                    _token = token;
            }

            return _token;
        }
    }
}
