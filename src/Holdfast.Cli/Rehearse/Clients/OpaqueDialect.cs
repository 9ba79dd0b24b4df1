using System.Buffers.Text;
using System.Globalization;
using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>
/// <c>connection sequence micros</c>, answered by <c>connection sequence stream counter took</c>: all that an answer needs is in the question.
/// </summary>
internal sealed class OpaqueDialect(int connection) : ClientDialect(connection)
{
    public override string? Channel => null;

    public override bool IsReady => true;

    public override IReadOnlyList<string> Greet() => [];

    public override string Question(int sequence, bool again, long micros) => string.Create(CultureInfo.InvariantCulture, $"{Connection} {sequence} {micros}");

    public override Heard Take(ReadOnlySpan<byte> message, long at)
    {
        Span<long> numbers = stackalloc long[5];
        foreach (ref var number in numbers)
        {
            if (!Utf8Parser.TryParse(message, out number, out var length))
                return Heard.Fatal;
            message = message[Math.Min(length + 1, message.Length)..];
        }

        if (!message.IsEmpty || numbers[0] != Connection)
            return Heard.Fatal;
        Answer = new Answer((int)numbers[1], numbers[2], numbers[3], at, numbers[4]);
        return Heard.Answer;
    }
}
