using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Holdfast.Wire.Sessions.Json;

/// <summary>Where a value stands in a message: without its quotes, if it is a string. <c>default</c>: there is none.</summary>
internal readonly record struct JsonValue(int Start, int End, JsonTokenType Type)
{
    public bool Exists => Type != JsonTokenType.None;

    public ReadOnlySpan<byte> RawIn(ReadOnlySpan<byte> payload) => payload[Start..End];
}

/// <summary>Finds the values at several paths in one pass over a message, without recursion. Of a member that comes twice the last counts, as in JavaScript.</summary>
internal sealed class JsonPathSet
{
    /// <summary>One bit each.</summary>
    public const int MaxPaths = 64;

    /// <summary>Names of one path.</summary>
    public const int MaxDepth = 16;

    private readonly List<byte[][]> _paths = [];

    public int Count => _paths.Count;

    public static byte[][] Split(string path)
    {
        byte[][] names = [.. path.Split('.').Select(Encoding.UTF8.GetBytes)];
        if (names.Length > MaxDepth || names.Any(static name => name.Length == 0))
            throw new ArgumentException($"The path \"{path}\" is not 1 to {MaxDepth} member names joined by dots.", nameof(path));
        return names;
    }

    /// <returns>Its place among the values that <see cref="Read"/> gives.</returns>
    public int Add(string path)
    {
        var names = Split(path);
        var known = _paths.FindIndex(other => other.Length == names.Length && other.Zip(names).All(static pair => pair.First.AsSpan().SequenceEqual(pair.Second)));
        if (known >= 0)
            return known;
        if (_paths.Count == MaxPaths)
            throw new ArgumentException($"The rules name more than {MaxPaths} paths.", nameof(path));
        _paths.Add(names);
        return _paths.Count - 1;
    }

    /// <param name="values">One for each path.</param>
    /// <returns>False: no JSON object.</returns>
    public bool Read(in SessionMessage message, Span<JsonValue> values)
    {
        values.Clear();
        try
        {
            var reader = new Utf8JsonReader(message.Payload, message.IsWhole, new JsonReaderState(JsonText.ReaderOptions));
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            ReadMembers(ref reader, values);
            if (message.IsWhole)
                reader.Read(); // Throws if anything follows.
            return true;
        }
        catch (JsonException)
        {
            values.Clear();
            return false;
        }
    }

    private static ulong BitsBelow(int count) => count == 64 ? ulong.MaxValue : (1UL << count) - 1;

    private void ReadMembers(ref Utf8JsonReader reader, Span<JsonValue> values)
    {
        // By depth: the paths that lead through the object that is read there.
        Span<ulong> through = stackalloc ulong[MaxDepth + 1];
        var depth = 0;
        through[0] = BitsBelow(Count);
        while (depth >= 0 && reader.Read())
        {
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                depth--;
                continue;
            }

            var matching = Matching(reader.ValueSpan, through[depth], depth);
            if (!reader.Read())
                return;
            ulong further = 0;
            var start = (int)reader.TokenStartIndex;
            var type = reader.TokenType;
            var isObject = type == JsonTokenType.StartObject;
            for (var rest = matching; rest != 0; rest &= rest - 1)
            {
                var path = BitOperations.TrailingZeroCount(rest);
                values[path] = default;
                if (_paths[path].Length > depth + 1)
                    further |= 1UL << path;
            }

            var ending = matching & ~further;
            if (isObject && further != 0 && ending == 0)
            {
                through[++depth] = further;
                continue;
            }

            // A path that ends where another goes on has only one of the two at a time: what is a value to one is walked again for the other.
            var inner = reader;
            if (!reader.TrySkip())
                return;
            var value = type == JsonTokenType.String
                ? new JsonValue(start + 1, (int)reader.BytesConsumed - 1, type)
                : new JsonValue(start, (int)reader.BytesConsumed, type);
            for (; ending != 0; ending &= ending - 1)
                values[BitOperations.TrailingZeroCount(ending)] = value;
            if (!isObject || further == 0)
                continue;
            reader = inner;
            through[++depth] = further;
        }
    }

    private ulong Matching(ReadOnlySpan<byte> name, ulong candidates, int depth)
    {
        ulong matching = 0;
        for (; candidates != 0; candidates &= candidates - 1)
        {
            var path = BitOperations.TrailingZeroCount(candidates);
            if (JsonText.IsText(name, _paths[path][depth]))
                matching |= 1UL << path;
        }

        return matching;
    }
}
