using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Holding;
using Holdfast.Wire.Http1;
using Holdfast.Wire.Sessions;

namespace Holdfast.Gateway.Holding;

/// <summary>
/// Backends' <c>hold</c>, as loops use it: one object for all pairs of a backend, until its options change. One loop's thread.
/// </summary>
/// <param name="loops">How many share a backend's rate.</param>
internal sealed class HoldPlans(int loops, HoldMemory memory)
{
    private readonly List<Plan?> _byBackend = [];

    /// <summary>Null: the backend's connections are not held.</summary>
    public HoldSettings? Of(BackendState backend)
    {
        var options = backend.Options;
        if (options.Hold.Protocol == HoldProtocol.None)
            return null;
        while (_byBackend.Count <= backend.Id)
            _byBackend.Add(null);
        if (_byBackend[backend.Id] is not { } plan || !ReferenceEquals(plan.Options, options.Hold))
            _byBackend[backend.Id] = plan = new Plan(options.Hold, Create(options.Hold));
        return plan.Settings;
    }

    /// <summary>Whether the sub-protocol that was agreed on is the one that is held.</summary>
    public static bool Fits(BackendState backend, in ResponseHead response) =>
        backend.Options.Hold.Protocol != HoldProtocol.GraphqlTransportWs
        || (response.Count(ResponseHeader.SecWebSocketProtocol) == 1
            && response.First(ResponseHeader.SecWebSocketProtocol).SequenceEqual("graphql-transport-ws"u8));

    private HoldSettings Create(HoldOptions hold) => new()
    {
        NewSession = SessionOf(hold),
        Overlap = hold.Mode == HoldMode.MakeFirst ? Milliseconds(hold.Overlap) : 0,
        Quiet = Milliseconds(hold.Quiet),
        QuietMax = Milliseconds(hold.QuietMax),
        Fence = Milliseconds(hold.Fence),
        Buffer = hold.Buffer,
        Patience = Milliseconds(hold.Patience),
        RatePerSecond = (double)hold.RatePerSecond / loops,
        RehomeOnServerError = hold.OnServerError == ServerErrorAction.Rehome,
        Memory = memory,
    };

    private static Func<Session>? SessionOf(HoldOptions hold)
    {
        var makeFirst = hold.Mode == HoldMode.MakeFirst;
        switch (hold.Protocol)
        {
            case HoldProtocol.GraphqlTransportWs:
                return () => new GraphQlSession(makeFirst, hold.Buffer);
            case HoldProtocol.Json:
                var rules = JsonRulesOf(hold.Json!);
                return () => new JsonSession(rules, makeFirst, hold.Buffer);
            default:
                return null;
        }
    }

    private static JsonRules JsonRulesOf(JsonHoldOptions json) => new(
        [.. json.Set.Select(RuleOf)], [.. json.Unset.Select(RuleOf)], [.. json.Replies.Select(RuleOf)], json.Sequence?.Path, json.Sequence?.Key);

    private static JsonRule RuleOf(JsonMessageRule rule) => new(rule.Match, rule.Key, rule.Resume);

    private static int Milliseconds(TimeSpan time) => (int)Math.Min(time.TotalMilliseconds, int.MaxValue);

    private sealed record Plan(HoldOptions Options, HoldSettings Settings);
}
