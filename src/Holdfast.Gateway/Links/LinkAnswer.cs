using System.Text;
using Holdfast.Wire.Http1;

namespace Holdfast.Gateway.Links;

/// <summary>The head of a loop's answer to a linked request: the 101, or a refusal, the gateway's own or the endpoint's.</summary>
internal sealed class LinkAnswer
{
    /// <summary>A head's bytes at most: what endpoints may send, and what the gateway adds to it.</summary>
    public const int MaxHead = 40 * 1024;

    public required int Status { get; init; }

    public required string Reason { get; init; }

    public required BodyFraming Framing { get; init; }

    /// <summary>-1: none.</summary>
    public required long ContentLength { get; init; }

    /// <summary>What came behind the head.</summary>
    public required byte[] Rest { get; init; }

    /// <summary>In order, those that concern one hop only among them.</summary>
    public List<KeyValuePair<string, string>> Headers { get; } = [];

    /// <summary>Null: the head is malformed.</summary>
    /// <param name="end">Where the head ends, its empty line included.</param>
    public static LinkAnswer? Parse(ReadOnlySpan<byte> bytes, int end)
    {
        if (ResponseHead.TryParse(bytes[..end], out var parsed) != ResponseFault.None)
            return null;
        var answer = new LinkAnswer
        {
            Status = parsed.Status,
            Reason = Encoding.Latin1.GetString(parsed.Reason),
            Framing = parsed.Framing,
            ContentLength = parsed.ContentLength,
            Rest = bytes[end..].ToArray(),
        };
        foreach (var line in parsed)
            answer.Headers.Add(new(Encoding.ASCII.GetString(line.Name), Encoding.Latin1.GetString(line.Value)));
        return answer;
    }
}
