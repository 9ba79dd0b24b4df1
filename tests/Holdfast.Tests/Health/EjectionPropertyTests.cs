using FsCheck;
using FsCheck.Fluent;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Health;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Tests.LoadBalancing;
using Xunit;

namespace Holdfast.Tests.Health;

/// <summary>The machine against the model, over random histories. Every number of a history is one step, so that a failing history shrinks.</summary>
public sealed class EjectionPropertyTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(3_000).WithEndSize(200);

    private static readonly Arbitrary<int[]> Histories = Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf(), ArbMap.Default.ArbFor<int[]>().Shrinker);

    [Fact]
    public void Every_history_ends_as_the_model_says_and_the_ceiling_holds_at_every_step() =>
        Prop.ForAll(Histories, static history => new Replay(isStill: false).Run(history)).Check(Runs);

    [Fact]
    public void While_no_endpoint_changes_its_phase_or_check_the_ejected_are_never_more_than_the_ceiling_and_never_all() =>
        Prop.ForAll(Histories, static history => new Replay(isStill: true).Run(history)).Check(Runs);

    private sealed class Replay
    {
        private const int Count = 6;

        private readonly bool _isStill;
        private readonly EjectionFixture _real;
        private readonly EjectionModel _model;
        private readonly List<(EndpointState Endpoint, EjectionModel.Member Member, long Ticket, object? Trial, bool IsHandshake)> _underWay = [];

        public Replay(bool isStill)
        {
            var options = new EjectOptions { AfterFailures = 2, For = TimeSpan.FromMilliseconds(100), MaxPercent = 50 };
            _isStill = isStill;
            _real = new EjectionFixture(Count, options, LoadBalancingPolicy.Random);
            _model = new EjectionModel(Count, options);
        }

        public bool Run(int[] history)
        {
            foreach (var step in history)
            {
                Do(new Random(step));
                Compare();
            }

            return true;
        }

        private void Do(Random random)
        {
            switch (random.Next(_isStill ? 10 : 14))
            {
                case 0 or 1 or 2:
                    Begin(random, isHandshake: true);
                    break;
                case 3:
                    Begin(random, isHandshake: false);
                    break;
                case 4 or 5 or 6 or 7:
                    if (_underWay.Count > 0)
                        End(random);
                    break;
                case 8:
                    _real.Now += random.Next(150);
                    break;
                case 9:
                    Apply(random);
                    break;
                case 10 or 11:
                    ChangePhase(random);
                    break;
                default:
                    var i = random.Next(Count);
                    _model.Members[i].FailsCheck = random.Next(2) == 0;
                    _real.All[i].SetHealth(_model.Members[i].FailsCheck ? EndpointHealth.Unhealthy : EndpointHealth.Healthy);
                    break;
            }
        }

        private void Begin(Random random, bool isHandshake)
        {
            int[] excluded = random.Next(2) == 0 ? [] : [random.Next(Count), random.Next(Count)];
            var (allowed, isTrial) = _model.Picks(_real.Now, excluded, isHandshake);
            var picked = _real.Backend.Pick(random, _real.Now, excluded, isHandshake, out var ticket);
            Assert.Equal(isTrial, ticket != 0);
            if (picked is null)
            {
                Assert.Empty(allowed);
                return;
            }

            Assert.Contains(picked.Id, allowed.Select(m => m.Id));
            var member = _model.Members[picked.Id];
            var trial = isTrial ? new object() : null;
            if (isTrial)
                (member.Until, member.Trial) = (null, trial);
            else if (member.IsOut)
                EjectionModel.PutBack(member);
            _underWay.Add((picked, member, ticket, trial, isHandshake));
        }

        private void End(Random random)
        {
            var at = random.Next(_underWay.Count);
            var (endpoint, member, ticket, trial, isHandshake) = _underWay[at];
            _underWay.RemoveAt(at);
            switch (random.Next(6))
            {
                case 0 or 1 or 2:
                    _real.Ejections.Failed(endpoint, ticket, _real.Now, isHandshake);
                    _model.Failed(member, trial, _real.Now, isHandshake);
                    break;
                case 3:
                    break;
                default:
                    if (isHandshake)
                    {
                        _real.Ejections.Upgraded(endpoint, _real.Now);
                        EjectionModel.Recovered(member);
                    }
                    else
                    {
                        _real.Ejections.Answered(endpoint, ticket, _real.Now);
                        EjectionModel.Answered(member, trial, _real.Now);
                    }

                    break;
            }

            // As at the end of every handshake.
            _real.Ejections.GiveBack(endpoint, ticket, _real.Now);
            EjectionModel.GaveBack(member, trial, _real.Now);
        }

        private void Apply(Random random)
        {
            var options = random.Next(3) > 0 ? _model.Options : new EjectOptions
            {
                AfterFailures = random.Next(4),
                For = TimeSpan.FromMilliseconds(random.Next(1, 200)),
                MaxPercent = random.Next(101),
            };
            int[] members = [.. Enumerable.Range(0, Count).Where(_ => random.Next(4) > 0)];
            _real.Backend.Apply(_real.Options(options), [.. members.Select(i => _real.All[i])], []);
            _model.Apply(options, members, m => _real.All[m.Id].Ejection.IsInService);
        }

        private void ChangePhase(Random random)
        {
            var i = random.Next(Count);
            if (random.Next(2) == 0)
                _real.All[i].MarkDraining();
            else
                _real.All[i].MarkReady(_real.Now);
            _model.Members[i].Phase = _real.All[i].Phase;
        }

        private void Compare()
        {
            foreach (var member in _model.Members)
            {
                var state = _real.All[member.Id].Ejection;
                Assert.Equal((member.IsMember, member.Failures, member.Row, member.HandshakeFailed), (state.IsMember, state.Failures, state.Row, state.HandshakeFailed));
                Assert.Equal(member.Trial is not null ? EjectionPhase.OnTrial : member.Until is not null ? EjectionPhase.Ejected : EjectionPhase.InService, state.Phase);
                Assert.Equal(member.Until ?? 0, state.Until);
                Assert.Equal(member.IsHealthy, _real.All[member.Id].Health == EndpointHealth.Healthy);

                // Of all that think they have a trial there, the one that the state knows has it.
                Assert.InRange(_underWay.Count(u => u.Member == member && state.IsHeldBy(u.Ticket)), 0, 1);
            }

            Assert.Equal((_model.Out.Count(), _model.Total), (_real.Ejections.Count, _real.Ejections.Total));
            if (_isStill)
                Assert.InRange(_real.Ejections.Count, 0, Math.Min(_model.Current.Count() * _model.Options.MaxPercent / 100, Math.Max(0, _model.Current.Count() - 1)));
        }
    }
}
