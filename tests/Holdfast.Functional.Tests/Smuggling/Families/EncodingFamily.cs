using System.Globalization;
using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>CL.TE, TE.CL and TE.TE: every known way to write Transfer-Encoding so that one reader sees it and another does not.</summary>
internal static class EncodingFamily
{
    private enum Kind
    {
        Chunked,
        Refused,

        /// <summary>Another header, that frames nothing.</summary>
        Other,
    }

    private static readonly (Kind Kind, string Lines)[] Headers =
    [
        .. Of(
            Kind.Chunked,
            "Transfer-Encoding: chunked\r\n", "transfer-encoding: chunked\r\n", "TRANSFER-ENCODING: CHUNKED\r\n", "tRaNsFeR-eNcOdInG: cHuNkEd\r\n", "Transfer-Encoding:chunked\r\n",
            "Transfer-Encoding:\tchunked\r\n", "Transfer-Encoding:     chunked\r\n", "Transfer-Encoding: chunked \r\n", "Transfer-Encoding: chunked\t\r\n", "Transfer-Encoding: \t chunked \t \r\n"),
        .. Of(
            Kind.Refused,
            // Space, folding and control bytes around the name.
            "Transfer-Encoding : chunked\r\n", "Transfer-Encoding\t: chunked\r\n", " Transfer-Encoding: chunked\r\n", "\tTransfer-Encoding: chunked\r\n", "X: y\r\n Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding:\r\n chunked\r\n", "Transfer-Encoding:\r\n\tchunked\r\n", "Transfer-Encoding: chunked\r\n ,identity\r\n", "Transfer-Encoding\r\n : chunked\r\n",
            "Transfer-Encoding\0: chunked\r\n", "\0Transfer-Encoding: chunked\r\n", "\vTransfer-Encoding: chunked\r\n", "Transfer-Encoding\v: chunked\r\n", "\u00a0Transfer-Encoding: chunked\r\n",
            "Transfer Encoding: chunked\r\n", "Transfer-Encoding[]: chunked\r\n", "Transfer-Encoding(x): chunked\r\n", "\"Transfer-Encoding\": chunked\r\n", "Transfer/Encoding: chunked\r\n",
            "Transfer-Encoding;: chunked\r\n", "Transfer-Encoding,: chunked\r\n", "Transfer\u00adEncoding: chunked\r\n", ":Transfer-Encoding: chunked\r\n", "Transfer-Encoding chunked\r\n",
            "Transfer-Encoding= chunked\r\n", "Transfer-Encoding\u00e9: chunked\r\n", ": chunked\r\n",
            // Control bytes, bare CR and LF around the value.
            "Transfer-Encoding:\vchunked\r\n", "Transfer-Encoding:\fchunked\r\n", "Transfer-Encoding: chunked\v\r\n", "Transfer-Encoding: chunked\f\r\n", "Transfer-Encoding:\0chunked\r\n",
            "Transfer-Encoding: chunked\0\r\n", "Transfer-Encoding: chunked\u007f\r\n", "Transfer-Encoding:\n chunked\r\n", "Transfer-Encoding: chunked\n", "Transfer-Encoding: chunked\r",
            "Transfer-Encoding: chunked\r\r\n", "Transfer-Encoding: chunked\n\r\n", "X: y\nTransfer-Encoding: chunked\r\n", "X: y\rTransfer-Encoding: chunked\r\n", "Transfer-Encoding: ch\runked\r\n",
            "Transfer-Encoding: chunked\r\0\n",
            // Other codings, lists, quotes, parameters.
            "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunkedx\r\n", "Transfer-Encoding: chunke\r\n", "Transfer-Encoding: chunk\r\n", "Transfer-Encoding: chunked;x\r\n",
            "Transfer-Encoding: chunked;q=1\r\n", "Transfer-Encoding: chunked; foo=bar\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: identity, chunked\r\n",
            "Transfer-Encoding: identity\r\n", "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: chunked, gzip\r\n", "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: , chunked\r\n", "Transfer-Encoding: chunked,\r\n", "Transfer-Encoding: chunked ,\r\n", "Transfer-Encoding: ,\r\n", "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: 'chunked'\r\n", "Transfer-Encoding: (chunked)\r\n", "Transfer-Encoding: chunked (x)\r\n", "Transfer-Encoding: chunked chunked\r\n", "Transfer-Encoding: x chunked\r\n",
            "Transfer-Encoding:\r\n", "Transfer-Encoding:  \r\n", "Transfer-Encoding: \u00a0chunked\r\n", "Transfer-Encoding: chunked\u00a0\r\n", "Transfer-Encoding: \u0085chunked\r\n",
            "Transfer-Encoding: chun\u00adked\r\n", "Transfer-Encoding: chunked=1\r\n", "Transfer-Encoding: trailers\r\n", "Transfer-Encoding: deflate\r\n", "Transfer-Encoding: compress\r\n",
            "Transfer-Encoding: cow\r\n", "Transfer-Encoding: %63hunked\r\n", "Transfer-Encoding: {chunked}\r\n", "Transfer-Encoding: [chunked]\r\n", "Transfer-Encoding: <chunked>\r\n",
            "Transfer-Encoding: chunked:\r\n", "Transfer-Encoding: :chunked\r\n", "Transfer-Encoding: Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked HTTP/1.1\r\n",
            // Several lines.
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n", "Transfer-encoding: x\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", "transfer-encoding: chunked\r\nX: y\r\nTRANSFER-ENCODING: chunked\r\n"),
        .. Of(
            Kind.Other,
            "Transfer_Encoding: chunked\r\n", "X-Transfer-Encoding: chunked\r\n", "Transfer-Encodin: chunked\r\n", "Transfer-Encodings: chunked\r\n", "TransferEncoding: chunked\r\n",
            "Transfer--Encoding: chunked\r\n", "-Transfer-Encoding: chunked\r\n", "Transfer-Encoding-: chunked\r\n", "Transfer.Encoding: chunked\r\n", "TE: chunked\r\n", "TE: trailers, chunked\r\n",
            "Content-Encoding: chunked\r\n", "Content-Transfer-Encoding: chunked\r\n", "X: Transfer-Encoding: chunked\r\n", "X: y\\r\\nTransfer-Encoding: chunked\r\n",
            "X: y%0d%0aTransfer-Encoding: chunked\r\n", "'Transfer-Encoding': chunked\r\n", "Transfer-Encoding%20: chunked\r\n"),
    ];

    public static Family Create()
    {
        var family = new Family("Transfer-Encoding");
        foreach (var (kind, lines) in Headers)
        {
            var name = Parts.Shown(lines);
            Step[] ordinary = [Pass("POST", "main"), Refuse()];

            family.Add(name + " alone", $"{Parts.Post}{lines}\r\n0\r\n\r\n{Parts.Second}", By(kind, [Pass("POST", "main"), Pass("GET", "second")], ordinary));
            family.Add(name + " before Host", $"POST /{Parts.Id}/main HTTP/1.1\r\n{lines}{Parts.Host}\r\n0\r\n\r\n{Parts.Second}", By(kind, [Pass("POST", "main"), Pass("GET", "second")], ordinary));
            family.Add(name + " with GET", $"{Parts.Get}{lines}\r\n5\r\nhello\r\n0\r\n\r\n{Parts.Second}", By(kind, [Pass("GET", "main", "hello"), Pass("GET", "second")], [Pass("GET", "main"), Refuse()]));
            family.Add(name + " in HTTP/1.0", $"{Parts.Post.Replace("HTTP/1.1", "HTTP/1.0", StringComparison.Ordinal)}{lines}\r\n0\r\n\r\n{Parts.Smuggled}", [Refuse()]);
            family.Add(
                name + " with GET in HTTP/1.0", $"{Parts.Get.Replace("HTTP/1.1", "HTTP/1.0", StringComparison.Ordinal)}{lines}\r\n0\r\n\r\n{Parts.Smuggled}", By(kind, [Refuse()], [PassAndClose("GET", "main")]));

            var size = string.Create(CultureInfo.InvariantCulture, $"{Parts.Smuggled.Length:x}\r\n");
            family.Add(
                name + " against a short Content-Length (TE.CL)",
                $"{Parts.Post}Content-Length: {size.Length}\r\n{lines}\r\n{size}{Parts.Smuggled}\r\n0\r\n\r\n",
                By(kind, [Refuse()], [Pass("POST", "main", size), Pass("GET", "smuggled"), Refuse()]));
            var body = "0\r\n\r\n" + Parts.Smuggled;
            family.Add(name + " against a long Content-Length (CL.TE)", $"{Parts.Post}{lines}Content-Length: {body.Length}\r\n\r\n{body}", By(kind, [Refuse()], [Pass("POST", "main", body)]));
        }

        return family;
    }

    private static Step[] By(Kind kind, Step[] chunked, Step[] other) => kind switch
    {
        Kind.Chunked => chunked,
        Kind.Refused => [Refuse()],
        _ => other,
    };

    private static IEnumerable<(Kind Kind, string Lines)> Of(Kind kind, params string[] lines) => lines.Select(l => (kind, l));
}
