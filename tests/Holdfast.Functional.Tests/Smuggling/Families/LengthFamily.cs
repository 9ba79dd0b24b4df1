using System.Globalization;
using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>CL.CL, CL.0 and 0.CL: lengths that are two, none, too much, or no numbers.</summary>
internal static class LengthFamily
{
    private enum Kind
    {
        Length,
        Refused,

        /// <summary>A good number that no body has.</summary>
        Endless,

        /// <summary>Another header, that frames nothing.</summary>
        Other,
    }

    // '#' stands for the length.
    private static readonly (Kind Kind, string Lines)[] Headers =
    [
        .. Of(
            Kind.Length,
            "Content-Length: #\r\n", "content-length: #\r\n", "CONTENT-LENGTH: #\r\n", "Content-Length:#\r\n", "Content-Length:\t#\r\n", "Content-Length: # \r\n", "Content-Length: #\t\r\n",
            "Content-Length:    #    \r\n", "Content-Length: 000#\r\n", "Content-Length: 00000000000000000#\r\n"),
        .. Of(
            Kind.Refused,
            "Content-Length: +#\r\n", "Content-Length: -#\r\n", "Content-Length: --#\r\n", "Content-Length: 0x#\r\n", "Content-Length: #, #\r\n", "Content-Length: #,#\r\n", "Content-Length: #,\r\n",
            "Content-Length: ,#\r\n", "Content-Length: #;\r\n", "Content-Length: #;x\r\n", "Content-Length: #.0\r\n", "Content-Length: #e0\r\n", "Content-Length: 1e1\r\n", "Content-Length: \"#\"\r\n",
            "Content-Length: '#'\r\n", "Content-Length: (#)\r\n", "Content-Length: # #\r\n", "Content-Length: # 0\r\n", "Content-Length: 0 #\r\n", "Content-Length: #\0\r\n", "Content-Length: \0#\r\n",
            "Content-Length:\v#\r\n", "Content-Length: #\v\r\n", "Content-Length: #\f\r\n", "Content-Length: #_0\r\n", "Content-Length: 1_0\r\n", "Content-Length:\r\n", "Content-Length:   \r\n",
            "Content-Length: #\u00a0\r\n", "Content-Length: \u00a0#\r\n", "Content-Length: \u00b2\r\n", "Content-Length: #a\r\n", "Content-Length: a#\r\n", "Content-Length: NaN\r\n",
            "Content-Length: Infinity\r\n", "Content-Length: null\r\n", "Content-Length: chunked\r\n", "Content-Length: %30\r\n", "Content-Length: #\r\n 0\r\n", "Content-Length:\r\n #\r\n",
            "Content-Length: #\r\n\t0\r\n", "Content-Length : #\r\n", "Content-Length\t: #\r\n", " Content-Length: #\r\n", "\tContent-Length: #\r\n", "Content-Length\0: #\r\n", "Content Length: #\r\n",
            "Content-Length\v: #\r\n", "Content-Length #\r\n", "Content-Length=#\r\n", "Content-Length: #\n", "Content-Length: #\r", "X: y\nContent-Length: #\r\n", "X: y\rContent-Length: #\r\n",
            "Content-Length: #\n\r\n", "Content-Length: #\r\r\n", "Content-Length: 9223372036854775808\r\n", "Content-Length: 18446744073709551615\r\n", "Content-Length: 18446744073709551616\r\n",
            "Content-Length: 1844674407370955161#\r\n", "Content-Length: 99999999999999999999999999999999\r\n", "Content-Length: 340282366920938463463374607431768211456\r\n", "Content-Length: -1\r\n",
            "Content-Length: -0\r\n", "Content-Length: 0000000000000000000#\r\n", "Content-Length: 0000000000000000000000000000#\r\n", "Content-Length: +0\r\n", "Content-Length: 0b1\r\n", "Content-Length: 0o1\r\n", "Content-Length: #/1\r\n", "Content-Length: =#\r\n",
            "Content-Length: #\r\nContent-Length: #\r\n", "Content-Length: #\r\nContent-Length: 0\r\n", "Content-Length: 0\r\nContent-Length: #\r\n", "Content-Length: #\r\ncontent-length: #\r\n",
            "Content-Length: #\r\nX: y\r\nContent-Length: 1\r\n", "Content-Length:\r\nContent-Length: #\r\n", "Content-Length: #\r\nContent-Length:\r\n", "Content-Length: #\r\nContent-Length: +#\r\n"),
        .. Of(Kind.Endless, "Content-Length: 2147483648\r\n", "Content-Length: 4294967296\r\n", "Content-Length: 4294967301\r\n", "Content-Length: 9223372036854775807\r\n"),
        .. Of(
            Kind.Other,
            "Content_Length: #\r\n", "X-Content-Length: #\r\n", "Content-Lengt: #\r\n", "Content-Lengths: #\r\n", "ContentLength: #\r\n", "Content--Length: #\r\n", "-Content-Length: #\r\n", "Content-Length-: #\r\n",
            "Length: #\r\n", "X: Content-Length: #\r\n", "X: y\\r\\nContent-Length: #\r\n", "X: y%0d%0aContent-Length: #\r\n", "Content.Length: #\r\n"),
    ];

    public static Family Create()
    {
        var family = new Family("Content-Length");
        foreach (var (kind, lines) in Headers)
        {
            var name = Parts.Shown(lines);
            var with = lines.Replace("#", Parts.Smuggled.Length.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
            Step[] both = [Pass("POST", "main"), Pass("GET", "smuggled")];

            family.Add(name + " over a request", $"{Parts.Post}{with}\r\n{Parts.Smuggled}", By(kind, "POST", [Pass("POST", "main", Parts.Smuggled)], both));
            family.Add(
                name + " with GET",
                $"{Parts.Get}{with}\r\n{Parts.Smuggled}",
                By(kind, "GET", [Pass("GET", "main", Parts.Smuggled)], [Pass("GET", "main"), Pass("GET", "smuggled")]));
            family.Add(name + " after another of 0", $"{Parts.Post}Content-Length: 0\r\n{with}\r\n{Parts.Smuggled}", kind == Kind.Other ? both : [Refuse()]);
            family.Add(name + " before chunks", $"{Parts.Post}{with}{Parts.Chunked}\r\n0\r\n\r\n{Parts.Smuggled}", kind == Kind.Other ? both : [Refuse()]);
            family.Add(name + " in HTTP/1.0", $"POST /{Parts.Id}/main HTTP/1.0\r\n{Parts.Host}{with}\r\n{Parts.Smuggled}", By(kind, "POST", [PassAndClose("POST", "main", Parts.Smuggled)], [Refuse()]));

            // The length of nothing, before a request of its own: who takes a longer body takes that request for a body.
            var zero = lines.Replace("#", "0", StringComparison.Ordinal);
            Step[] next = [Pass("POST", "main"), Pass("GET", "second")];
            family.Add(name + " of 0 before a request", $"{Parts.Post}{zero}\r\n{Parts.Second}", By(kind, "POST", next, next));
        }

        var all = Parts.Smuggled.Length + Parts.Canary.Length;
        family.AddExactly("over a request and the canary", $"{Parts.Post}Content-Length: {all}\r\n\r\n{Parts.Smuggled}", Pass("POST", "main", Parts.Smuggled + Parts.Canary));
        family.AddExactly("one byte more than there is", $"{Parts.Post}Content-Length: {all + 1}\r\n\r\n{Parts.Smuggled}", Unfinished());
        family.AddExactly("one byte less than there is", $"{Parts.Post}Content-Length: {Parts.Canary.Length - 2}\r\n\r\n", Pass("POST", "main", Parts.Canary[..^2]), Unfinished("", ""));
        return family;
    }

    private static Step[] By(Kind kind, string method, Step[] length, Step[] other) => kind switch
    {
        Kind.Length => length,
        Kind.Refused => [Refuse()],
        Kind.Endless => [Unfinished(method)],
        _ => other,
    };

    private static IEnumerable<(Kind Kind, string Lines)> Of(Kind kind, params string[] lines) => lines.Select(l => (kind, l));
}
