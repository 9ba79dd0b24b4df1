using Holdfast.Fuzz.Dns;
using Holdfast.Fuzz.Http1;
using Holdfast.Fuzz.Proxy;
using Holdfast.Fuzz.Sessions;
using Holdfast.Fuzz.Tls;
using Holdfast.Fuzz.WebSocket;

namespace Holdfast.Fuzz;

/// <summary>Runs one parser on untrusted bytes and throws <see cref="FuzzFailure"/> where it disagrees with its oracle.</summary>
internal delegate void FuzzTarget(ReadOnlySpan<byte> data);

/// <summary>Every target by its name, which is also its folder in tests/corpus.</summary>
internal static class FuzzTargets
{
    public static IReadOnlyDictionary<string, FuzzTarget> All { get; } = new SortedDictionary<string, FuzzTarget>(StringComparer.Ordinal)
    {
        ["frames"] = FramesTarget.Fuzz,
        ["masking"] = MaskingTarget.Fuzz,
        ["close-payload"] = ClosePayloadTarget.Fuzz,
        ["extensions"] = ExtensionsTarget.Fuzz,
        ["accept-key"] = AcceptKeyTarget.Fuzz,
        ["head-rules"] = HeadRulesTarget.Fuzz,
        ["host"] = HostTarget.Fuzz,
        ["origin"] = OriginTarget.Fuzz,
        ["cookie"] = CookieTarget.Fuzz,
        ["response-head"] = ResponseHeadTarget.Fuzz,
        ["chunked"] = ChunkedTarget.Fuzz,
        ["requests"] = RequestsTarget.Fuzz,
        ["dns-response"] = DnsResponseTarget.Fuzz,
        ["address"] = AddressTarget.Fuzz,
        ["address-chain"] = AddressChainTarget.Fuzz,
        ["proxy-header"] = ProxyHeaderTarget.Fuzz,
        ["client-hello"] = ClientHelloTarget.Fuzz,
        ["graphql-document"] = GraphQlDocumentTarget.Fuzz,
        ["graphql-session"] = SessionTargets.GraphQl,
        ["graphql-restore"] = SessionTargets.GraphQlRestore,
        ["json-session"] = SessionTargets.Json,
        ["json-restore"] = SessionTargets.JsonRestore,
    };
}
