namespace Holdfast.Gateway.Tls;

/// <summary>What is wrong with a file of certificates or keys, to be read after its name. Says nothing of a key's contents.</summary>
/// <param name="isKey">It is the key's file.</param>
internal sealed class PemFault(string message, bool isKey = false) : Exception(message)
{
    public bool IsKey { get; } = isKey;
}
