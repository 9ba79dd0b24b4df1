using System.Globalization;

namespace Holdfast.Bench.Runs;

/// <summary>One load: written as SIZE@RATExCONNECTIONS, such as 64@20000x200.</summary>
internal sealed record RelayCase(int Size, int Rate, int Connections)
{
    /// <summary>The four of the gate, then the reported ones. 16 KiB at 50,000/s would be 13 Gbit/s each way.</summary>
    public const string Defaults =
        "64@20000x200,64@50000x200,64@20000x4000,64@50000x4000,1024@20000x200,1024@20000x4000,16384@5000x200,16384@5000x4000";

    /// <summary>Whether the gate is about it: 64-byte echoes.</summary>
    public bool IsGate => Size == 64;

    public static RelayCase[] Parse(string list) => [.. list.Split(',').Select(ParseOne)];

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Size} B, {Rate}/s, {Connections} connections");

    private static RelayCase ParseOne(string text)
    {
        var parts = text.Split('@', 'x');
        var numbers = parts.Select(part => int.TryParse(part, out var number) ? number : 0).ToArray();
        return numbers is [> 0 and var size, > 0 and var rate, > 0 and var connections]
            ? new RelayCase(size, rate, connections)
            : throw new BenchException($"'{text}' is no case; give SIZE@RATExCONNECTIONS, such as 64@20000x200");
    }
}
