using Holdfast.Api.Yaml;
using Schema = Holdfast.Api.Configuration.Reading.ConfigurationSchema;

namespace Holdfast.Api.Configuration.Reading;

/// <summary>Fills what a backend's connections are held by.</summary>
internal static class HoldReader
{
    private static readonly Dictionary<string, string> NoConditions = [];
    private static readonly JsonMessageRule NoRule = new() { Match = NoConditions };
    private static readonly JsonSequence NoSequence = new() { Path = "" };

    public static HoldOptions Read(SectionReader s)
    {
        var usual = new HoldOptions();
        return new HoldOptions
        {
            Protocol = s.Optional("protocol", ValueParsers.Protocol, usual.Protocol),
            Mode = s.Optional("mode", ValueParsers.Mode, usual.Mode),
            Overlap = s.Optional("overlap", ValueParsers.Duration, usual.Overlap),
            Quiet = s.Optional("quiet", ValueParsers.Duration, usual.Quiet),
            QuietMax = s.Optional("quietMax", ValueParsers.Duration, usual.QuietMax),
            Fence = s.Optional("fence", ValueParsers.Duration, usual.Fence),
            Buffer = s.Optional("buffer", ValueParsers.Size, usual.Buffer),
            Patience = s.Optional("patience", ValueParsers.Duration, usual.Patience),
            RatePerSecond = s.Optional("ratePerSecond", ValueParsers.Number, usual.RatePerSecond),
            OnServerError = s.Optional("onServerError", ValueParsers.ServerError, usual.OnServerError),
            Json = s.Has("json") ? s.Section("json", Schema.JsonHold, ReadJson, new JsonHoldOptions { Set = [] }) : null,
        };
    }

    private static JsonHoldOptions ReadJson(SectionReader s)
    {
        if (!s.Has("set"))
            s.Damage("set", "is required; write for example `set: [{match: {op: subscribe}, key: [channel]}]`");
        return new JsonHoldOptions
        {
            Set = s.Sections("set", Schema.JsonSet, ReadSet, NoRule, "[{match: {op: subscribe}, key: [channel]}]"),
            Unset = s.Sections("unset", Schema.JsonUnset, ReadRule, NoRule, "[{match: {op: unsubscribe}, key: [channel]}]"),
            Replies = s.Sections("replies", Schema.JsonReply, ReadRule, NoRule, "[{match: {type: subscribed}, key: [channel]}]"),
            Sequence = s.Has("sequence") ? ReadSequence(s) : null,
        };
    }

    private static JsonMessageRule ReadSet(SectionReader s) => ReadRule(s) with { Resume = s.OptionalReference<string>("resume", ValueParsers.Text) };

    private static JsonMessageRule ReadRule(SectionReader s)
    {
        if (!s.Has("match"))
            s.Damage("match", "is required; write for example `match: {op: subscribe}`");
        return new JsonMessageRule { Match = s.Scalars("match", "{op: subscribe}"), Key = s.OneOrMore<string>("key", ValueParsers.Any, "[channel]") };
    }

    /// <summary>A text alone is the path.</summary>
    private static JsonSequence ReadSequence(SectionReader s)
    {
        if (s.Find("sequence") is { Kind: YamlKind.Scalar, IsNull: false })
        {
            s.ShowAs(s.KeyOf("sequence.path"), "sequence");
            return new JsonSequence { Path = s.Optional("sequence", ValueParsers.Any, "") };
        }

        return s.Section("sequence", Schema.JsonSequence, ReadSequenceParts, NoSequence);
    }

    private static JsonSequence ReadSequenceParts(SectionReader s) => new()
    {
        Path = s.Required("path", ValueParsers.Any, "", "seq"),
        Key = s.OneOrMore<string>("key", ValueParsers.Any, "[channel]"),
    };
}
