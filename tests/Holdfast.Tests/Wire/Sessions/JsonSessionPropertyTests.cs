using FsCheck;
using FsCheck.Fluent;
using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>A feed on a clock that all endpoints share, and re-homes of every kind at random points. Every number of a history is one step.</summary>
public sealed class JsonSessionPropertyTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(2_000).WithEndSize(300);

    private static readonly Arbitrary<int[]> Histories = Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf(), ArbMap.Default.ArbFor<int[]>().Shrinker);

    /// <summary>No gap needs an overlap and no crash, or a feed that can begin in the past.</summary>
    [Theory]
    [InlineData(true, false, false)]
    [InlineData(true, true, true)]
    [InlineData(false, true, true)]
    [InlineData(true, false, true)]
    [InlineData(false, false, true)]
    public void Each_number_comes_once_and_in_order(bool makeFirst, bool resumes, bool crashes) =>
        Prop.ForAll(Histories, history => new Replay(makeFirst, resumes, crashes).Run(history)).Check(Runs);

    private sealed class Replay
    {
        private readonly JsonWorld _world = new();
        private readonly ModelEngine _engine;
        private readonly JsonModelClient _client;
        private readonly bool _makeFirst;
        private readonly bool _crashes;
        private readonly bool _isWithoutGap;
        private readonly bool _countsAnswers;

        public Replay(bool makeFirst, bool resumes, bool crashes)
        {
            var rules = new JsonRules(
                [new JsonRule([new("op", "sub")], ["ch"], resumes ? "since" : null)],
                [new JsonRule([new("op", "unsub")], ["ch"])],
                [new JsonRule([new("ev", "subscribed")], ["ch"])],
                "seq",
                ["ch"]);
            _makeFirst = makeFirst;
            _crashes = crashes;
            _isWithoutGap = resumes || !crashes;

            // When an endpoint crashes within an overlap, an answer can come from both of the others.
            _countsAnswers = !makeFirst || !crashes;
            _engine = new ModelEngine(() => new JsonSession(rules, makeFirst, 64 * 1024), () => new JsonModelServer(_world));
            _client = new JsonModelClient(_engine.FromClient, _isWithoutGap, _countsAnswers);
        }

        public bool Run(int[] history)
        {
            foreach (var step in history)
                Do(new Random(step));
            Settle();
            return true;
        }

        private void Do(Random random)
        {
            var servers = _engine.Servers.ToArray();
            var server = servers.Length == 0 ? null : servers[random.Next(servers.Length)];
            switch (random.Next(24))
            {
                case < 3:
                    _client.Act(random, _world);
                    break;
                case < 7:
                    if (_engine.FromClient.Count > 0)
                        _engine.ReadClient();
                    break;
                case < 10:
                    if (_engine.ToClient.TryDequeue(out var message))
                        _client.Read(message);
                    break;
                case < 13:
                    if (server?.ToServer.Count > 0)
                        server.Read();
                    break;
                case < 16:
                    Tick(random);
                    break;
                case 16:
                    server?.Act(random);
                    break;
                case < 20:
                    if (server?.FromServer.Count > 0)
                        _engine.ReadServer(server);
                    break;
                case < 23:
                    ReHome(random);
                    break;
                default:
                    if (_engine.Next is null && _engine.Previous is null)
                        _engine.SaveAndRestore();
                    break;
            }
        }

        private void Tick(Random random)
        {
            var channel = _world.Last.ElementAt(random.Next(_world.Last.Count)).Key;
            _world.Last[channel]++;
            foreach (var server in _engine.Servers)
                ((JsonModelServer)server).Tick(channel);
        }

        private void ReHome(Random random)
        {
            switch (random.Next(8))
            {
                case < 2 when _engine.Next is null && (_makeFirst || _engine.Current is null):
                    _engine.Dial();
                    break;
                case < 4 when _engine.CanMove:
                    _engine.Move();
                    break;
                case 4 when _engine.Next is not null:
                    _engine.RefuseNext();
                    break;
                case 5 when _engine.Current is not null && _crashes:
                    _engine.LoseCurrent(inOrder: random.Next(2) == 0);
                    break;
                case 6 when _engine.Current is not null:
                    _engine.Hold();
                    break;
                case 7 when _engine.Previous is not null && _engine.Current is not null:
                    LeavePrevious();
                    break;
                default:
                    break;
            }
        }

        /// <summary>Only once the other one has read what moves, as its pong tells.</summary>
        private void LeavePrevious()
        {
            while (_engine.Current!.ToServer.Count > 0)
                _engine.Current.Read();
            _engine.EndOverlap();
            _engine.LosePrevious(inOrder: true);
        }

        private void Settle()
        {
            if (_engine.Current is null && _engine.Next is null)
                _engine.Dial();
            if (_engine.Next is not null)
            {
                if (_engine.Previous is not null)
                    _engine.LosePrevious(inOrder: true);
                _engine.Move();
            }

            if (_engine.IsHeld)
                _engine.Flush();
            Pump();
            if (_engine.Previous is not null)
                LeavePrevious();
            Pump();
            Assert.True(_engine.IsAtRest);
            Assert.True(_engine.Session.CanMove);
            if (_countsAnswers)
                Assert.Equal(0, _client.Unanswered);
            var server = (JsonModelServer)_engine.Current!;
            Assert.Equal(_client.Live.Order(StringComparer.Ordinal), server.Live.Order(StringComparer.Ordinal));

            // The feed goes on, to its very last number.
            foreach (var channel in _world.Last.Keys.ToArray())
            {
                _world.Last[channel]++;
                server.Tick(channel);
            }

            Pump();
            foreach (var channel in _client.Live)
                Assert.Equal(_world.Last[channel], _client.Last[channel]);
        }

        private void Pump()
        {
            while (true)
            {
                if (_engine.FromClient.Count > 0)
                    _engine.ReadClient();
                else if (_engine.Servers.FirstOrDefault(static server => server.ToServer.Count > 0) is { } reading)
                    reading.Read();
                else if (_engine.Servers.FirstOrDefault(static server => server.FromServer.Count > 0) is { } speaking)
                    _engine.ReadServer(speaking);
                else if (_engine.ToClient.TryDequeue(out var message))
                    _client.Read(message);
                else
                    return;
            }
        }
    }
}
