using System.Net;
using FsCheck;
using FsCheck.Fluent;
using Holdfast.Gateway.Discovery;
using Xunit;

namespace Holdfast.Tests.Discovery;

/// <summary>What is concluded from answers, and what is not.</summary>
public sealed class LastGoodAnswerTests
{
    private static readonly Gen<LookupOutcome> Failures = Gen.Elements(Enum.GetValues<LookupOutcome>().Where(o => o is not (LookupOutcome.Good or LookupOutcome.Partial)).ToArray());

    private static readonly Gen<NameAnswer> Answers =
        from v4 in Family(n => new IPAddress([10, 0, 0, (byte)n]))
        from v6 in Family(n => new IPAddress([0xFD, .. new byte[14], (byte)n]))
        select new NameAnswer("chat.test", v4, v6);

    [Fact]
    public void Each_family_has_the_addresses_of_its_last_good_answer() => Prop.ForAll(Arb.From(Gen.ListOf(Answers)), answers =>
    {
        var last = new LastGoodAnswer();
        var (v4, v6) = (new HashSet<IPAddress>(), new HashSet<IPAddress>());
        foreach (var answer in answers)
        {
            var before = last.Addresses;
            var isNews = last.Take(answer);
            if (answer.V4.Outcome == LookupOutcome.Good || answer.V6.Outcome == LookupOutcome.Good)
            {
                Model(v4, answer.V4);
                Model(v6, answer.V6);
            }

            Assert.Equal(v4.Concat(v6).Select(a => a.ToString()).Order(), last.Addresses.Select(a => a.ToString()).Order());
            Assert.Equal(!before.SequenceEqual(last.Addresses), isNews);
            Assert.True(before.Count == 0 || last.Addresses.Count > 0, "a backend lost all of its endpoints");
        }

        static void Model(HashSet<IPAddress> family, FamilyAnswer answer)
        {
            if (answer.Outcome is LookupOutcome.Good or LookupOutcome.Empty)
                family.Clear();
            family.UnionWith(answer.Addresses);
        }
    }).Check(Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(500));

    [Fact]
    public void The_order_of_an_answer_is_no_news()
    {
        var last = new LastGoodAnswer();
        Assert.True(last.Take(Of(["10.0.0.10", "10.0.0.9"], [])));
        Assert.False(last.Take(Of(["10.0.0.9", "10.0.0.10"], [])));
        Assert.Equal(["10.0.0.9", "10.0.0.10"], last.Addresses.Select(a => a.ToString()));
    }

    [Theory]
    [InlineData(LookupOutcome.Good, LookupOutcome.Good, LookupOutcome.Good)]
    [InlineData(LookupOutcome.Good, LookupOutcome.Empty, LookupOutcome.Good)]
    [InlineData(LookupOutcome.Good, LookupOutcome.Nxdomain, LookupOutcome.Partial)]
    [InlineData(LookupOutcome.Good, LookupOutcome.Servfail, LookupOutcome.Partial)]
    [InlineData(LookupOutcome.Good, LookupOutcome.Timeout, LookupOutcome.Partial)]
    [InlineData(LookupOutcome.Empty, LookupOutcome.Empty, LookupOutcome.Empty)]
    [InlineData(LookupOutcome.Nxdomain, LookupOutcome.Nxdomain, LookupOutcome.Nxdomain)]
    [InlineData(LookupOutcome.Nxdomain, LookupOutcome.Empty, LookupOutcome.Empty)]
    [InlineData(LookupOutcome.Empty, LookupOutcome.Servfail, LookupOutcome.Servfail)]
    [InlineData(LookupOutcome.Nxdomain, LookupOutcome.Refused, LookupOutcome.Refused)]
    [InlineData(LookupOutcome.Malformed, LookupOutcome.Timeout, LookupOutcome.Timeout)]
    [InlineData(LookupOutcome.Unreachable, LookupOutcome.Unreachable, LookupOutcome.Unreachable)]
    public void Two_families_make_one_outcome(object a, object b, object expected)
    {
        foreach (var (v4, v6) in (((LookupOutcome, LookupOutcome)[])[((LookupOutcome)a, (LookupOutcome)b), ((LookupOutcome)b, (LookupOutcome)a)]))
            Assert.Equal((LookupOutcome)expected, new NameAnswer("x", new FamilyAnswer(v4, [], default), new FamilyAnswer(v6, [], default)).Outcome);
    }

    [Theory]
    [InlineData("10.0.0.1", true)]
    [InlineData("127.0.0.1", true)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("fd00::1", true)]
    [InlineData("::1", true)]
    [InlineData("::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fe80::1%1", true)]
    [InlineData("ff02::1", false)]
    [InlineData("::ffff:10.0.0.1", false)]
    public void Addresses_where_no_endpoint_can_be_are_left_out(string address, bool isUsable)
    {
        var answer = FamilyAnswer.Of([IPAddress.Parse(address)], TimeSpan.Zero);
        Assert.Equal((isUsable ? LookupOutcome.Good : LookupOutcome.Empty, isUsable ? 1 : 0), (answer.Outcome, answer.Addresses.Count));
    }

    [Theory]
    [InlineData(5, 30, 5)]
    [InlineData(30, 5, 5)]
    [InlineData(30, null, 30)]
    [InlineData(null, 30, 30)]
    [InlineData(null, null, 0)]
    public void The_lesser_time_to_live_of_the_families_with_addresses_counts(int? v4, int? v6, int expected) =>
        Assert.Equal(TimeSpan.FromSeconds(expected), new NameAnswer("x", Lasting(v4, "10.0.0.1"), Lasting(v6, "fd00::1")).TimeToLive);

    private static FamilyAnswer Lasting(int? seconds, string address) =>
        seconds is { } ttl ? FamilyAnswer.Of([IPAddress.Parse(address)], TimeSpan.FromSeconds(ttl)) : FamilyAnswer.Failed(LookupOutcome.Empty);

    private static NameAnswer Of(string[] v4, string[] v6) =>
        new("x", FamilyAnswer.Of(v4.Select(IPAddress.Parse), TimeSpan.Zero), FamilyAnswer.Of(v6.Select(IPAddress.Parse), TimeSpan.Zero));

    private static Gen<FamilyAnswer> Family(Func<int, IPAddress> address) => Gen.OneOf(
        Failures.Select(FamilyAnswer.Failed),
        from numbers in Gen.NonEmptyListOf(Gen.Choose(1, 6))
        select FamilyAnswer.Of(numbers.Select(address), TimeSpan.FromSeconds(5)));
}
