using System.Text;
using System.Text.Json;
using Holdfast.Wire.Sessions.Json;

namespace Holdfast.Wire.Sessions;

/// <summary>One kind of message.</summary>
/// <param name="match">By path (member names joined by dots): the string, number or truth value that must stand there, as text.</param>
/// <param name="key">Paths whose values together name the state; a list there names one state for each element.</param>
/// <param name="resume">Of set rules: the path of the member in which the last sequence the client has seen is sent again.</param>
public sealed class JsonRule(IEnumerable<KeyValuePair<string, string>> match, IEnumerable<string> key, string? resume = null)
{
    internal IReadOnlyList<KeyValuePair<string, string>> Match { get; } = [.. match];

    internal IReadOnlyList<string> Key { get; } = [.. key];

    internal string? Resume { get; } = resume;
}

/// <summary>The rules of a JSON protocol, made ready once and shared by all its connections. Immutable.</summary>
/// <remarks>
/// A state is named by its set rule and the values of its key. An unset or reply rule speaks of the states that have the same values under any set rule with as
/// many key paths. One without a key speaks of the states without a key, if there is a set rule for such; otherwise an unset rule ends all states, and a reply
/// answers any set message.
/// </remarks>
public sealed class JsonRules
{
    /// <summary>Of each sort.</summary>
    public const int MaxRules = 32;

    private readonly int _sequencePath = -1;
    private readonly int[] _sequenceKey = [];

    /// <param name="sequencePath">Where server messages are numbered; null: nothing is known to come twice.</param>
    /// <param name="sequenceKey">Paths whose values name the feed that is numbered; empty: all messages are one.</param>
    /// <exception cref="ArgumentException">No set rule, more rules or paths than <see cref="MaxRules"/> and 64, or a path that is none.</exception>
    public JsonRules(
        IReadOnlyList<JsonRule> set,
        IReadOnlyList<JsonRule> unset,
        IReadOnlyList<JsonRule> replies,
        string? sequencePath = null,
        IReadOnlyList<string>? sequenceKey = null)
    {
        if (set.Count == 0)
            throw new ArgumentException("There is no set rule.", nameof(set));
        if (Math.Max(set.Count, Math.Max(unset.Count, replies.Count)) > MaxRules)
            throw new ArgumentException($"There are more than {MaxRules} rules of one sort.", nameof(set));
        Set = [.. set.Select(rule => new Compiled(rule, ClientPaths))];
        Unset = [.. unset.Select(rule => new Compiled(rule, ClientPaths))];
        Replies = [.. replies.Select(rule => new Compiled(rule, ServerPaths))];
        HasKeylessState = Set.Any(static rule => rule.Key.Length == 0);
        if (sequencePath is null)
            return;
        _sequencePath = ServerPaths.Add(sequencePath);
        _sequenceKey = [.. (sequenceKey ?? []).Select(ServerPaths.Add)];
    }

    internal JsonPathSet ClientPaths { get; } = new();

    internal JsonPathSet ServerPaths { get; } = new();

    internal Compiled[] Set { get; }

    internal Compiled[] Unset { get; }

    internal Compiled[] Replies { get; }

    internal bool HasKeylessState { get; }

    internal bool HasSequence => _sequencePath >= 0;

    internal int SequenceKeyLength => _sequenceKey.Length;

    internal bool IsOfAnyState(Compiled rule) => rule.Key.Length == 0 && !HasKeylessState;

    /// <summary>The first rule that a message matches, with all its key members; -1: none.</summary>
    internal static int FirstMatch(Compiled[] rules, ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values)
    {
        for (var i = 0; i < rules.Length; i++)
        {
            if (rules[i].Matches(payload, values))
                return i;
        }

        return -1;
    }

    /// <summary>The number of a server message and the name of its feed.</summary>
    internal bool TryReadSequence(ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values, Span<byte> feed, out int feedLength, out long number)
    {
        feedLength = 0;
        number = 0;
        if (_sequencePath < 0 || values[_sequencePath].Type != JsonTokenType.Number)
            return false;
        var raw = values[_sequencePath].RawIn(payload);
        if (!System.Buffers.Text.Utf8Parser.TryParse(raw, out number, out var read) || read != raw.Length)
            return false;
        foreach (var path in _sequenceKey)
        {
            var value = values[path];
            if (!value.Exists || value.Type == JsonTokenType.StartArray || !JsonKeys.TryAppend(feed, ref feedLength, value.RawIn(payload), value.Type))
                return false;
        }

        return true;
    }

    internal sealed class Compiled
    {
        private readonly (int Path, byte[] Text)[] _match;

        public Compiled(JsonRule rule, JsonPathSet paths)
        {
            _match = [.. rule.Match.Select(pair => (paths.Add(pair.Key), Encoding.UTF8.GetBytes(pair.Value)))];
            Key = [.. rule.Key.Select(paths.Add)];
            KeyPaths = [.. rule.Key.Select(JsonPathSet.Split)];
            Resume = rule.Resume is null ? null : JsonPathSet.Split(rule.Resume);
        }

        /// <summary>Places of the key's paths among the values.</summary>
        public int[] Key { get; }

        public byte[][][] KeyPaths { get; }

        public byte[][]? Resume { get; }

        public bool Matches(ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values)
        {
            foreach (var (path, text) in _match)
            {
                if (!IsAt(payload, values[path], text))
                    return false;
            }

            foreach (var path in Key)
            {
                if (!values[path].Exists)
                    return false;
            }

            return true;
        }

        /// <summary>Of the start of a message: whether the rest of it could make it match.</summary>
        public bool MayMatch(ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values)
        {
            foreach (var (path, text) in _match)
            {
                if (values[path].Exists && !IsAt(payload, values[path], text))
                    return false;
            }

            return true;
        }

        private static bool IsAt(ReadOnlySpan<byte> payload, JsonValue value, ReadOnlySpan<byte> text) => value.Type switch
        {
            JsonTokenType.String => JsonText.IsText(value.RawIn(payload), text),
            JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False => value.RawIn(payload).SequenceEqual(text),
            _ => false,
        };
    }
}
