using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>Header names in admission's keys: which are names, and which are not the user's to give away. Pure.</summary>
internal static class HeaderNames
{
    private const int Longest = 256;

    /// <summary>Of one hop (RFC 9110 7.6.1), or of the request that they stand in.</summary>
    private static readonly HashSet<string> OfOneRequest = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "Expect",
    };

    /// <summary>What is wrong with a name by whose value clients are told apart; null: nothing.</summary>
    /// <param name="byAddress">The key that does so by the client's address.</param>
    public static string? FaultOfKey(string name, string example, string byAddress)
    {
        if (FaultOfName(name, example) is { } fault)
            return fault;
        if (IsGateways(name))
            return $"{Printable.Quote(name)} is removed from what clients send, so that all would be one; write for example {example}";
        return name.ToUpperInvariant() is "X-FORWARDED-FOR" or "FORWARDED" ? $"{Printable.Quote(name)} is for a client to forge; write {byAddress}, which believes trusted proxies only" : null;
    }

    /// <summary>What is wrong with a header of the auth service's answer that the endpoint is to be sent; null: nothing.</summary>
    public static string? FaultOfCopied(string name)
    {
        if (FaultOfName(name, "x-user") is { } fault)
            return fault;
        if (OfOneRequest.Contains(name) || StartsWith(name, "Sec-WebSocket-"))
            return $"{Printable.Quote(name)} belongs to one connection and is never copied; write for example x-user";
        return IsGateways(name) || IsForwarding(name) ? $"{Printable.Quote(name)} is set by the gateway and never copied; write for example x-user" : null;
    }

    /// <summary>What is wrong with a request header that the auth service is to be sent; null: nothing.</summary>
    public static string? FaultOfForwarded(string name)
    {
        if (FaultOfName(name, "authorization") is { } fault)
            return fault;
        if (string.Equals(name, "Host", StringComparison.OrdinalIgnoreCase) || IsForwarding(name))
            return $"{Printable.Quote(name)} is not forwarded: the service is told host, scheme and client in X-Forwarded-Host, -Proto and -For anyway; remove it";
        // Pages cannot set other headers: tokens come in Sec-WebSocket-Protocol.
        if (OfOneRequest.Contains(name) || (StartsWith(name, "Sec-WebSocket-") && !string.Equals(name, "Sec-WebSocket-Protocol", StringComparison.OrdinalIgnoreCase)))
            return $"{Printable.Quote(name)} belongs to one connection and is never forwarded; write for example authorization";
        return IsGateways(name) ? $"{Printable.Quote(name)} is removed from what clients send; write for example authorization" : null;
    }

    /// <summary>What is wrong with a request header that a route is to change; null: nothing.</summary>
    public static string? FaultOfChangedRequest(string name)
    {
        if (FaultOfName(name, "x-gateway") is { } fault)
            return fault;
        if (string.Equals(name, "Host", StringComparison.OrdinalIgnoreCase))
            return "'Host' is not changed as a header; write a filter `rewrite: {host: chat.internal}`";
        if (OfOneRequest.Contains(name) || StartsWith(name, "Sec-WebSocket-"))
            return $"{Printable.Quote(name)} belongs to one connection and is the gateway's; write for example x-gateway";
        return IsGateways(name) || IsForwarding(name) ? $"{Printable.Quote(name)} is set by the gateway, and no route changes it; write for example x-gateway" : null;
    }

    /// <summary>What is wrong with a header of an endpoint's answer that a route is to change; null: nothing.</summary>
    public static string? FaultOfChangedResponse(string name)
    {
        if (FaultOfName(name, "strict-transport-security") is { } fault)
            return fault;
        if (OfOneRequest.Contains(name) || StartsWith(name, "Sec-WebSocket-"))
            return $"{Printable.Quote(name)} belongs to one connection and is the gateway's; write for example strict-transport-security";
        return IsGateways(name) ? $"{Printable.Quote(name)} is the gateway's and removed from every answer; write for example strict-transport-security" : null;
    }

    private static string? FaultOfName(string name, string example) =>
        Syntax.IsToken(name) && name.Length <= Longest ? null : $"{Printable.Quote(name)} is not a header name; write for example {example}";

    private static bool IsGateways(string name) =>
        StartsWith(name, "Holdfast-") || string.Equals(name, "Client-Cert", StringComparison.OrdinalIgnoreCase) || string.Equals(name, "Client-Cert-Chain", StringComparison.OrdinalIgnoreCase);

    private static bool IsForwarding(string name) => StartsWith(name, "X-Forwarded-") || string.Equals(name, "Forwarded", StringComparison.OrdinalIgnoreCase);

    private static bool StartsWith(string name, string prefix) => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase);
}
