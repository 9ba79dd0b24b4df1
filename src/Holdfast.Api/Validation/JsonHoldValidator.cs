using System.Globalization;
using Holdfast.Api.Configuration;
using Holdfast.Api.Configuration.Reading;

namespace Holdfast.Api.Validation;

/// <summary>The rules of a JSON protocol. Every message is held against them, so their number and their depth are bounded.</summary>
internal static class JsonHoldValidator
{
    private const int MostRules = 32;
    private const int MostPaths = 16;

    /// <summary>Different ones in the rules for one direction: a message is held against all of them in one pass.</summary>
    private const int MostPathsInAll = 64;
    private const int DeepestPath = 16;
    private const int LongestText = 256;

    public static void Validate(JsonHoldOptions json, string key, FaultCollector faults)
    {
        if (json.Set.Count == 0)
            faults.Invalid(key + ".set", "at least one rule is needed; write for example [{match: {op: subscribe}, key: [channel]}]");
        ValidateRules(json.Set, key + ".set", faults);
        ValidateRules(json.Unset, key + ".unset", faults);
        ValidateRules(json.Replies, key + ".replies", faults);
        ValidateOpposites(json, key, faults);
        ValidatePathCount(json.Set.Concat(json.Unset), null, key + ".set", faults);
        ValidatePathCount(json.Replies, json.Sequence, key + ".replies", faults);
        for (var i = 0; i < Math.Min(json.Set.Count, MostRules); i++)
            ValidateResume(json.Set[i], json.Sequence, Item(key + ".set", i), faults);
        if (json.Sequence is not { } sequence)
            return;
        ValidatePath(sequence.Path, "seq", key + ".sequence.path", faults);
        ValidateKey(sequence.Key, key + ".sequence.key", faults);
    }

    private static void ValidateRules(IReadOnlyList<JsonMessageRule> rules, string key, FaultCollector faults)
    {
        if (rules.Count > MostRules)
        {
            faults.Invalid(key, Say($"{rules.Count} rules are more than the most, {MostRules}; leave out what need not be sent again"));
            return;
        }

        for (var i = 0; i < rules.Count; i++)
        {
            var item = Item(key, i);
            ValidateMatch(rules[i].Match, item + ".match", faults);
            ValidateKey(rules[i].Key, item + ".key", faults);
            for (var j = 0; j < i; j++)
            {
                if (!Same(rules[i], rules[j]))
                    continue;
                faults.Invalid(item, Say($"has the same match as {Item(key, j)}, which is found first; remove one"));
                break;
            }
        }
    }

    private static void ValidatePathCount(IEnumerable<JsonMessageRule> rules, JsonSequence? sequence, string key, FaultCollector faults)
    {
        IEnumerable<string> numbered = sequence is null ? [] : [sequence.Path, .. sequence.Key];
        var count = rules.SelectMany(static r => r.Match.Keys.Concat(r.Key)).Concat(numbered).Distinct(StringComparer.Ordinal).Count();
        if (count > MostPathsInAll)
            faults.Invalid(key, Say($"the rules for this direction name {count} different paths, more than the most, {MostPathsInAll}; tell messages apart by fewer members"));
    }

    private static void ValidateMatch(IReadOnlyDictionary<string, string> match, string key, FaultCollector faults)
    {
        if (match.Count == 0 && !faults.IsDamaged(key))
            faults.Invalid(key, "would match every message; write for example {op: subscribe}");
        if (match.Count > MostPaths)
            faults.Invalid(key, Say($"{match.Count} conditions are more than the most, {MostPaths}; the ones that tell the messages apart are enough"));
        foreach (var (path, value) in match)
        {
            // A condition's key may hold the separators of keys, so that its fault stands at the match as a whole.
            if (Problem(path, "op") is { } problem)
                faults.Invalid(key, problem);
            if (value.Length > LongestText)
                faults.Invalid(key, Say($"the value of {Printable.Quote(path)} has {value.Length} characters; at most {LongestText}, for example subscribe"));
        }
    }

    private static void ValidateKey(IReadOnlyList<string> paths, string key, FaultCollector faults)
    {
        if (paths.Count > MostPaths)
            faults.Invalid(key, Say($"{paths.Count} paths are more than the most, {MostPaths}; write for example [channel]"));
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < Math.Min(paths.Count, MostPaths); i++)
        {
            ValidatePath(paths[i], "channel", Item(key, i), faults);
            if (!seen.Add(paths[i]) && paths[i].Length > 0)
                faults.Invalid(Item(key, i), $"{Printable.Quote(paths[i])} is listed twice; remove one");
        }
    }

    /// <summary>One member of the message itself: what is sent again gets it, and its other members stay as the client wrote them.</summary>
    private static void ValidateResume(JsonMessageRule rule, JsonSequence? sequence, string item, FaultCollector faults)
    {
        if (rule.Resume is not { } member)
            return;
        var key = item + ".resume";
        if (sequence is null)
            faults.Invalid(key, "there is no sequence to resume from; write for example `sequence: seq` beside set, or remove it");
        else if (member.Contains('.', StringComparison.Ordinal))
            faults.Invalid(key, $"{Printable.Quote(member)} is a path; write the name of one member of the message, for example since");
        else if (member.Length > LongestText)
            faults.Invalid(key, Say($"{member.Length} characters are more than the most, {LongestText}; write for example since"));
        else if (rule.Match.Keys.Concat(rule.Key).Any(p => string.Equals(p.Split('.')[0], member, StringComparison.Ordinal)))
            faults.Invalid(key, $"{Printable.Quote(member)} is what the rule knows its messages by; write another member, for example since");
    }

    private static void ValidateOpposites(JsonHoldOptions json, string key, FaultCollector faults)
    {
        for (var i = 0; i < Math.Min(json.Unset.Count, MostRules); i++)
        {
            for (var j = 0; j < Math.Min(json.Set.Count, MostRules); j++)
            {
                if (Same(json.Unset[i], json.Set[j]))
                    faults.Invalid(Item(key + ".unset", i), $"has the same match as {Item(key + ".set", j)}: a message cannot make state and end it; remove one");
            }
        }
    }

    private static bool Same(JsonMessageRule a, JsonMessageRule b) =>
        a.Match.Count > 0 && a.Match.Count == b.Match.Count
        && a.Match.All(c => b.Match.TryGetValue(c.Key, out var value) && string.Equals(value, c.Value, StringComparison.Ordinal));

    private static void ValidatePath(string path, string example, string key, FaultCollector faults)
    {
        if (Problem(path, example) is { } problem)
            faults.Invalid(key, problem);
    }

    private static string? Problem(string path, string example)
    {
        if (path.Length == 0)
            return $"an empty path names no member; write for example {example} or data.{example}";
        if (path.Length > LongestText)
            return Say($"{Printable.Quote(path)} has {path.Length} characters; at most {LongestText}, for example data.{example}");
        if (path.Count(static c => c == '.') >= DeepestPath)
            return Say($"{Printable.Quote(path)} has more than {DeepestPath} member names; write for example data.{example}");
        return path.Split('.').Any(static n => n.Length == 0)
            ? $"{Printable.Quote(path)} has an empty member name; write member names joined by single dots, for example data.{example}"
            : null;
    }

    private static string Item(string key, int index) => Say($"{key}[{index}]");

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
