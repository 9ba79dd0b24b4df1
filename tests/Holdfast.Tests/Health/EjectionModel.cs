using Holdfast.Api.Configuration;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Tests.Health;

/// <summary>What docs/health.md says of ejection, written once more in the plainest way: lists, no races, nothing packed.</summary>
internal sealed class EjectionModel(int endpoints, EjectOptions options)
{
    public EjectOptions Options { get; private set; } = options;

    public List<Member> Members { get; } = [.. Enumerable.Range(0, endpoints).Select(i => new Member { Id = i })];

    public long Total { get; private set; }

    public IEnumerable<Member> Current => Members.Where(m => m.IsMember);

    public IEnumerable<Member> Out => Members.Where(m => m.IsOut);

    public int Ceiling => Options.AfterFailures == 0
        ? 0
        : Math.Max(0, Math.Min((int)Math.Floor(Current.Count(m => m.Serves) * Options.MaxPercent / 100.0), Current.Count(m => m.Serves) - 1));

    /// <summary>Whom this pick may give, and whether it is a trial. Empty: nobody.</summary>
    public (Member[] Allowed, bool IsTrial) Picks(long now, int[] excluded, bool isHandshake)
    {
        Member[] candidates = [.. Current.Where(m => !excluded.Contains(m.Id))];
        Member[] due = [.. candidates.Where(m => m.Serves && m.Until <= now && (isHandshake || !m.HandshakeFailed))];
        Member[] trials = [.. due.Where(m => m.Until == due.Min(d => d.Until))];
        if (excluded.Length == 0 && trials.Length > 0)
            return (trials, true);
        if (In(EndpointPhase.Ready) is { Length: > 0 } ready)
            return (ready, false);
        if (trials.Length > 0)
            return (trials, true);
        if (In(EndpointPhase.Draining) is { Length: > 0 } draining)
            return (draining, false);
        if (In(EndpointPhase.Starting) is { Length: > 0 } starting)
            return (starting, false);
        if (Current.Any(m => m.Phase != EndpointPhase.Gone && m.IsHealthy))
            return ([], false);
        Member[] last = [.. candidates.Where(m => m.Serves && m.IsOut)];
        return ([.. last.Where(m => m.Waits == last.Min(l => l.Waits))], false);

        Member[] In(EndpointPhase phase) => [.. candidates.Where(m => m.Phase == phase && m.IsHealthy)];
    }

    public void Failed(Member member, object? trial, long now, bool isHandshake)
    {
        member.Failures++;
        member.HandshakeFailed |= isHandshake;
        var isRenewed = trial is not null && member.Trial == trial;
        var isNew = !member.IsOut && member.IsMember && member.Serves && Options.AfterFailures > 0 && member.Failures >= Options.AfterFailures && Out.Count() < Ceiling;
        if (!isRenewed && !isNew)
            return;
        member.Row = Math.Min(member.Row + 1, 10);
        member.Trial = null;
        member.Until = now + ((long)Options.For.TotalMilliseconds * member.Row);
        Total++;
    }

    public static void Recovered(Member member) => (member.Failures, member.Row, member.HandshakeFailed, member.Until, member.Trial) = (0, 0, false, null, null);

    public static void Answered(Member member, object? trial, long now)
    {
        if (!member.HandshakeFailed)
            Recovered(member);
        else
            GaveBack(member, trial, now);
    }

    public static void GaveBack(Member member, object? trial, long now)
    {
        if (trial is not null && member.Trial == trial)
            (member.Trial, member.Until) = (null, now);
    }

    public static void PutBack(Member member) => (member.Until, member.Trial) = (null, null);

    /// <summary>Who is put back when several wait equally long is not said: the one that really was.</summary>
    public void Apply(EjectOptions options, int[] members, Func<Member, bool> isPutBack)
    {
        foreach (var member in Members.Where(m => m.IsMember != members.Contains(m.Id)))
        {
            Recovered(member);
            member.IsMember = !member.IsMember;
        }

        foreach (var member in Members.Where(m => m.Until is not null && options.For < Options.For))
            member.Until = Math.Max(0, member.Until!.Value - ((long)(Options.For - options.For).TotalMilliseconds * member.Row));
        Options = options;
        while (Out.Count() > Ceiling)
        {
            var first = Out.Min(m => m.Waits);
            PutBack(Out.Where(m => m.Waits == first).MaxBy(isPutBack)!);
        }
    }

    internal sealed class Member
    {
        public int Id { get; init; }

        public bool IsMember { get; set; } = true;

        public EndpointPhase Phase { get; set; } = EndpointPhase.Ready;

        public bool FailsCheck { get; set; }

        public int Failures { get; set; }

        public int Row { get; set; }

        public bool HandshakeFailed { get; set; }

        /// <summary>Null: not ejected, or on trial.</summary>
        public long? Until { get; set; }

        public object? Trial { get; set; }

        public bool IsOut => Until is not null || Trial is not null;

        /// <summary>The one on trial is the nearest to its return.</summary>
        public long Waits => Until ?? 0;

        public bool IsHealthy => !IsOut && !FailsCheck;

        public bool Serves => Phase == EndpointPhase.Ready && !FailsCheck;
    }
}
