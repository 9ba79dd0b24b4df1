using System.Buffers.Binary;
using System.Text.Json;

namespace Holdfast.Wire.Sessions.Json;

/// <summary>The names of the states that a message speaks of: one, or one for each element of the list that its key holds.</summary>
/// <remarks>A name is the values of the key, each behind its length: strings without their escapes, everything else as it stands.</remarks>
internal ref struct JsonKeys
{
    /// <summary>Bytes of one name. A longer one names nothing that is remembered.</summary>
    public const int MaxLength = 1024;

    private readonly ReadOnlySpan<byte> _payload;
    private readonly ReadOnlySpan<JsonValue> _values;
    private readonly int[] _key;
    private readonly Span<byte> _scratch;
    private readonly int _list = -1;
    private readonly int _listStart;
    private Utf8JsonReader _elements;
    private bool _isDone;
    private int _length;

    /// <param name="scratch">Of <see cref="MaxLength"/> bytes.</param>
    public JsonKeys(ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values, int[] key, Span<byte> scratch)
    {
        _payload = payload;
        _values = values;
        _key = key;
        _scratch = scratch;
        for (var i = 0; i < key.Length; i++)
        {
            var value = values[key[i]];
            if (value.Type != JsonTokenType.StartArray)
                continue;
            HasSeveralLists |= _list >= 0;
            _list = i;
            _listStart = value.Start;
        }

        if (_list < 0)
            return;
        _elements = new Utf8JsonReader(values[key[_list]].RawIn(payload), isFinalBlock: true, new JsonReaderState(JsonText.ReaderOptions));
        _elements.Read();
    }

    /// <summary>Which of the key's paths holds a list; -1: none.</summary>
    public readonly int List => _list;

    /// <summary>Which of their pairs are live could not be sent in one message.</summary>
    public bool HasSeveralLists { get; }

    public readonly ReadOnlySpan<byte> Current => _scratch[.._length];

    /// <summary>Of a list: the element as it stands.</summary>
    public ReadOnlySpan<byte> Element { get; private set; }

    /// <summary>The name is longer than <see cref="MaxLength"/>.</summary>
    public bool IsTooLong { get; private set; }

    public static bool TryAppend(Span<byte> name, ref int length, ReadOnlySpan<byte> raw, JsonTokenType type)
    {
        if (length + sizeof(ushort) + raw.Length > Math.Min(MaxLength, name.Length))
            return false;
        var text = name[(length + sizeof(ushort))..];
        var textLength = raw.Length;
        if (type == JsonTokenType.String)
            textLength = JsonText.Unescape(raw, text);
        else
            raw.CopyTo(text);
        BinaryPrimitives.WriteUInt16LittleEndian(name[length..], (ushort)textLength);
        length += sizeof(ushort) + textLength;
        return true;
    }

    public bool MoveNext()
    {
        if (_isDone)
            return false;
        var type = JsonTokenType.None;
        if (_list < 0)
        {
            _isDone = true;
        }
        else
        {
            _elements.Read();
            type = _elements.TokenType;
            if (type == JsonTokenType.EndArray)
            {
                _isDone = true;
                return false;
            }

            var start = (int)_elements.TokenStartIndex;
            _elements.Skip();
            Element = _payload[(_listStart + start)..(_listStart + (int)_elements.BytesConsumed)];
        }

        _length = 0;
        IsTooLong = false;
        for (var i = 0; i < _key.Length && !IsTooLong; i++)
        {
            var value = _values[_key[i]];
            if (i != _list)
                IsTooLong = !TryAppend(_scratch, ref _length, value.RawIn(_payload), value.Type);
            else
                IsTooLong = !TryAppend(_scratch, ref _length, type == JsonTokenType.String ? Element[1..^1] : Element, type);
        }

        return true;
    }
}
