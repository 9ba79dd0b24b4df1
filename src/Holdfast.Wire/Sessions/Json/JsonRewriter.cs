using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace Holdfast.Wire.Sessions.Json;

/// <summary>
/// Writes a message again with another list at one path and another number at a second; everything else as it stands, byte for byte. Goes only as deep as the
/// two paths do.
/// </summary>
/// <param name="listPath">Null: no list is changed.</param>
/// <param name="elements">What stands in the list, with its commas.</param>
/// <param name="numberPath">Null: no number is changed.</param>
/// <param name="number">Null: there is none, and a member that stands there is left out.</param>
internal readonly ref struct JsonRewriter(byte[][]? listPath, ReadOnlySpan<byte> elements, byte[][]? numberPath, long? number)
{
    private readonly ReadOnlySpan<byte> _elements = elements;

    /// <param name="payload">A JSON object.</param>
    public void Rewrite(ReadOnlySpan<byte> payload, IBufferWriter<byte> destination)
    {
        var reader = new Utf8JsonReader(payload, isFinalBlock: true, new JsonReaderState(JsonText.ReaderOptions));
        reader.Read();
        WriteObject(payload, ref reader, 0, listPath is not null, numberPath is not null, destination);
    }

    private static bool IsNext(ReadOnlySpan<byte> name, byte[][]? path, int depth, bool isWithin) =>
        isWithin && depth < path!.Length && JsonText.IsText(name, path[depth]);

    private static void WriteNumber(long value, IBufferWriter<byte> destination)
    {
        Utf8Formatter.TryFormat(value, destination.GetSpan(20), out var written);
        destination.Advance(written);
    }

    private void WriteObject(
        ReadOnlySpan<byte> payload, ref Utf8JsonReader reader, int depth, bool isInListPath, bool isInNumberPath, IBufferWriter<byte> destination)
    {
        var isFirst = true;
        var hasNumber = false;
        destination.Write("{"u8);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var nameStart = (int)reader.TokenStartIndex;
            var nameEnd = nameStart + reader.ValueSpan.Length + 2;
            var isList = IsNext(reader.ValueSpan, listPath, depth, isInListPath);
            var isNumber = IsNext(reader.ValueSpan, numberPath, depth, isInNumberPath);
            var endsNumber = isNumber && depth + 1 == numberPath!.Length;
            reader.Read();
            if (endsNumber && number is null)
            {
                reader.Skip();
                continue;
            }

            if (!isFirst)
                destination.Write(","u8);
            isFirst = false;
            destination.Write(payload[nameStart..nameEnd]);
            destination.Write(":"u8);
            var start = (int)reader.TokenStartIndex;
            hasNumber |= isNumber;
            if (endsNumber)
            {
                reader.Skip();
                WriteNumber(number!.Value, destination);
            }
            else if (isList && depth + 1 == listPath!.Length)
            {
                reader.Skip();
                destination.Write("["u8);
                destination.Write(_elements);
                destination.Write("]"u8);
            }
            else if ((isList || isNumber) && reader.TokenType == JsonTokenType.StartObject)
            {
                WriteObject(payload, ref reader, depth + 1, isList, isNumber, destination);
            }
            else
            {
                reader.Skip();
                destination.Write(payload[start..(int)reader.BytesConsumed]);
            }
        }

        if (isInNumberPath && !hasNumber && number is not null)
            AddNumber(depth, isFirst, destination);
        destination.Write("}"u8);
    }

    /// <summary>The number's member did not stand in the object: it is put behind the others, with the objects that lead to it.</summary>
    private void AddNumber(int depth, bool isFirst, IBufferWriter<byte> destination)
    {
        if (!isFirst)
            destination.Write(","u8);
        for (var i = depth; i < numberPath!.Length; i++)
        {
            if (i > depth)
                destination.Write("{"u8);
            var name = destination.GetSpan(JsonText.MaxWritten(numberPath[i].Length));
            destination.Advance(JsonText.Write(numberPath[i], name));
            destination.Write(":"u8);
        }

        WriteNumber(number!.Value, destination);
        for (var i = depth + 1; i < numberPath.Length; i++)
            destination.Write("}"u8);
    }
}
