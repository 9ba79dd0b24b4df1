using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Holdfast.Cli.Load;

/// <summary>Fresh, unpredictable mask keys (RFC 6455 section 5.3), drawn from the system's generator 1,024 at a time. One thread.</summary>
internal sealed class MaskKeys
{
    private readonly uint[] _keys = new uint[1024];
    private int _used = 1024;

    public uint Next()
    {
        if (_used == _keys.Length)
        {
            RandomNumberGenerator.Fill(MemoryMarshal.AsBytes(_keys.AsSpan()));
            _used = 0;
        }

        return _keys[_used++];
    }
}
