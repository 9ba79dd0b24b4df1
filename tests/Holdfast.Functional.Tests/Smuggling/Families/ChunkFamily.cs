using static Holdfast.Functional.Tests.Smuggling.Step;

namespace Holdfast.Functional.Tests.Smuggling.Families;

/// <summary>Chunk sizes, extensions, line ends and terminators.</summary>
internal static class ChunkFamily
{
    /// <summary>A size for `hello`.</summary>
    private static readonly string[] GoodSizes = ["5", "05", "0005", "00000005"];

    private static readonly string[] BadSizes =
    [
        "", " 5", "\t5", "+5", "-5", "0x5", "0X5", "x5", "5x", "5h", "g", "5 ", "5\t", "5 5", "5,5", "5.0", "5:", "\"5\"", "'5'", "(5)", "5\0", "\05", "5\v", "\v5", "5\f", "5\u00a0", "\u00a05", "\u00b2", "\u00e9",
        "%35", "\\5", "#5", "$5", "5L", "5u", "_5", "5_", "--5", "5-", "5=", "=5", "5\"", "chunk", "FFFFFFFFFFFFFFFF", "ffffffffffffffff", "8000000000000000", "8000000000000005", "10000000000000000",
        "10000000000000005", "FFFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "100000000000000000000000000000005", "-1", "-FFFFFFFB", "+0", "-0", "0x0", "0 ", " 0", "0\0", "0\t", "\n5", "5\r", "5\n",
        "000000005", "0000000000000005", "000000000000000005", new string('0', 200) + "5", "80000005", "80000000", "100000005", "FFFFFFFF", "200000005", "20000000000005", "7FFFFFFFFFFFFFFF", "00000000080000005",
    ];

    /// <summary>The largest: good, and never reached.</summary>
    private static readonly string[] EndlessSizes = ["7FFFFFFF", "7ffffffe", "70000005", "00100000"];

    private static readonly string[] GoodExtensions =
    [
        ";x", ";x=y", ";x=\"y\"", ";", "; x", ";\tx", ";x=\"a;b\"", ";x=\"", ";x;y;z", ";=", ";;", ";x=\u00e9", ";5", ";0", ";Transfer-Encoding: chunked", ";x=\\\"", ";" + new string('x', 4000),
    ];

    private static readonly string[] BadExtensions =
    [
        ";x\n", ";\n", ";x\nGET /smuggled", ";x\r", ";\r", ";x\rGET", ";x\0", ";\0", ";x\v", ";x\u0001", ";x\u007f", ";x=\"\n\"", ";x=\"\r\"", ";x\r\r", ";x\n\n", ";" + new string('x', 4100), ";" + new string('x', 20_000), " x", ":x", ",x", "=x", " ;x", "\t;x",
    ];

    /// <summary>What follows the five bytes in place of CR LF and the last chunk; null: the same with the last chunk.</summary>
    private static readonly (string Name, string After)[] BadDataEnds =
    [
        ("nothing", "0\r\n\r\n"), ("LF", "\n0\r\n\r\n"), ("CR", "\r0\r\n\r\n"), ("LF CR", "\n\r0\r\n\r\n"), ("a byte more", "X\r\n0\r\n\r\n"), ("two bytes more", "XY0\r\n\r\n"), ("space", " \r\n0\r\n\r\n"),
        ("CR CR LF", "\r\r\n0\r\n\r\n"), ("NUL", "\0\r\n0\r\n\r\n"), ("a semicolon", ";\r\n0\r\n\r\n"), ("two line ends", "\r\n\r\n0\r\n\r\n"),
    ];

    private static readonly (string Name, string Last)[] BadLasts =
    [
        ("LF only", "0\n\n"), ("CR LF, LF", "0\r\n\n"), ("LF, CR LF", "0\n\r\n"), ("CR CR LF", "0\r\r\n\r\n"), ("CR only", "0\r\r"), ("-0", "-0\r\n\r\n"), ("+0", "+0\r\n\r\n"), ("0x0", "0x0\r\n\r\n"), ("0 and space", "0 \r\n\r\n"),
        ("space and 0", " 0\r\n\r\n"), ("CR and X", "0\r\n\rX"), ("NUL", "0\0\r\n\r\n"), ("0 after an empty line", "\r\n0\r\n\r\n"), ("none", ""), ("no empty line", "0\r\n"), ("0, space, request", "0 \r\n\r\n"),
        ("nine digits", "000000000\r\n\r\n"), ("extension with LF", "0;\n\r\n\r\n"), ("extension with CR", "0;\r\r\n\r\n"),
    ];

    public static Family Create()
    {
        var family = new Family("chunks");
        foreach (var size in GoodSizes)
            Good(family, "size " + Parts.Shown(size), $"{size}\r\nhello\r\n0\r\n\r\n", "hello");
        foreach (var upper in (string[])["A", "a", "0A", "0a"])
            Good(family, "size " + upper, $"{upper}\r\n0123456789\r\n0\r\n\r\n", "0123456789");
        foreach (var extension in GoodExtensions)
        {
            Good(family, "extension " + Parts.Shown(extension), $"5{extension}\r\nhello\r\n0\r\n\r\n", "hello");
            Good(family, "extension of the last chunk " + Parts.Shown(extension), $"5\r\nhello\r\n0{extension}\r\n\r\n", "hello");
        }

        Good(family, "many of one byte", string.Concat(Enumerable.Repeat("1\r\nx\r\n", 200)) + "0\r\n\r\n", new string('x', 200));
        Good(family, "last chunk 00", "5\r\nhello\r\n00\r\n\r\n", "hello");
        Good(family, "last chunk of eight digits", "5\r\nhello\r\n00000000\r\n\r\n", "hello");
        Good(family, "a last chunk inside a chunk", "5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n");
        Good(family, "a request inside a chunk", $"{Parts.Smuggled.Length:x}\r\n{Parts.Smuggled}\r\n0\r\n\r\n", Parts.Smuggled);
        Good(family, "a last chunk and a request inside a chunk", $"{Parts.Smuggled.Length + 5:x}\r\n0\r\n\r\n{Parts.Smuggled}\r\n0\r\n\r\n", "0\r\n\r\n" + Parts.Smuggled);

        foreach (var size in BadSizes)
        {
            Bad(family, "size " + Parts.Shown(size), $"{size}\r\nhello\r\n0\r\n\r\n");
            Bad(family, "second size " + Parts.Shown(size), $"1\r\nx\r\n{size}\r\nhello\r\n0\r\n\r\n");
        }

        foreach (var extension in BadExtensions)
        {
            Bad(family, "extension " + Parts.Shown(extension), $"5{extension}\r\nhello\r\n0\r\n\r\n");
            Bad(family, "extension of the last chunk " + Parts.Shown(extension), $"5\r\nhello\r\n0{extension}\r\n\r\n");
        }

        // The attack of two readers that end an extension at LF and at CR LF.
        Bad(family, "extension with LF and a request (TERM.EXT)", $"5;\nxx\r\nhello\r\n0\r\n\r\n{Parts.Smuggled}");
        Bad(family, "extension with LF, then chunks (EXT.TERM)", $"5;\nhello\r\n{Parts.Smuggled.Length:x}\r\n{Parts.Smuggled}\r\n0\r\n\r\n");
        Bad(family, "size line ended by LF, data that looks like chunks", $"2\nxx\r\n{Parts.Smuggled.Length:x}\r\n{Parts.Smuggled}\r\n0\r\n\r\n");
        Bad(family, "two bytes too many that are a size (SPILL)", $"5\r\nhello{Parts.Smuggled.Length:x}\r\n{Parts.Smuggled}\r\n0\r\n\r\n");

        foreach (var (name, rest) in BadDataEnds)
            Bad(family, "data ended by " + name, "5\r\nhello" + rest);
        foreach (var (name, last) in BadLasts)
            Bad(family, "last chunk: " + name, "5\r\nhello\r\n" + last);
        foreach (var size in EndlessSizes)
        {
            family.Add("endless size " + size, $"{Parts.Post}{Parts.Chunked}\r\n{size}\r\nhello\r\n0\r\n\r\n{Parts.Smuggled}", Unfinished());
            family.Add("endless second size " + size, $"{Parts.Post}{Parts.Chunked}\r\n1\r\nx\r\n{size}\r\nhello\r\n0\r\n\r\n{Parts.Smuggled}", Unfinished());
        }

        family.Add("data that never comes whole", $"{Parts.Post}{Parts.Chunked}\r\nfff\r\nhello", Unfinished());
        family.AddExactly(
            "a chunk over the canary, and no end", $"{Parts.Post}{Parts.Chunked}\r\n{Parts.Canary.Length:x}\r\n", Unfinished());
        return family;
    }

    private static void Good(Family family, string name, string chunks, string body)
    {
        family.Add(name, $"{Parts.Post}{Parts.Chunked}\r\n{chunks}{Parts.Second}", Pass("POST", "main", body), Pass("GET", "second"));
        family.Add(name + ", PUT, then the canary", $"PUT /{Parts.Id}/main HTTP/1.1\r\n{Parts.Chunked}{Parts.Host}\r\n{chunks}", Pass("PUT", "main", body));
    }

    private static void Bad(Family family, string name, string chunks) =>
        family.Add(name, $"{Parts.Post}{Parts.Chunked}\r\n{chunks}{Parts.Smuggled}", RefuseInBody());
}
