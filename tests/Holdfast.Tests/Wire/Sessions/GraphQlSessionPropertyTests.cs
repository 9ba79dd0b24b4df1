using FsCheck;
using FsCheck.Fluent;
using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>
/// A client, endpoints that follow the protocol and re-homes of every kind at random points. Client and servers fail on what the reference client and server
/// would close for. Every number of a history is one step, so that a failing history shrinks.
/// </summary>
public sealed class GraphQlSessionPropertyTests
{
    private static readonly Config Runs = Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(4_000).WithEndSize(300);

    private static readonly Arbitrary<int[]> Histories = Arb.From(Gen.Choose(0, int.MaxValue - 1).ArrayOf(), ArbMap.Default.ArbFor<int[]>().Shrinker);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_client_sees_one_session_and_each_request_runs_at_most_once(bool makeFirst) =>
        Prop.ForAll(Histories, history => new Replay(makeFirst).Run(history)).Check(Runs);

    private sealed class Replay
    {
        private readonly GraphQlWorld _world = new();
        private readonly ModelEngine _engine;
        private readonly GraphQlModelClient _client;

        public Replay(bool makeFirst)
        {
            _engine = new ModelEngine(() => new GraphQlSession(makeFirst, 64 * 1024), () => new GraphQlModelServer(_world));
            _client = new GraphQlModelClient(_engine.FromClient);
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
                case < 5:
                    _client.Act(random);
                    break;
                case < 9:
                    if (_engine.FromClient.Count > 0)
                        _engine.ReadClient();
                    break;
                case < 12:
                    if (_engine.ToClient.TryDequeue(out var message))
                        _client.Read(message);
                    break;
                case < 15:
                    if (server?.ToServer.Count > 0)
                        server.Read();
                    break;
                case < 17:
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

        private void ReHome(Random random)
        {
            switch (random.Next(12))
            {
                case < 3 when _engine.Next is null:
                    _engine.Dial();
                    break;
                case < 6 when _engine.CanMove:
                    _engine.Move();
                    break;
                case 6 when _engine.Next is not null:
                    _engine.RefuseNext();
                    break;
                case 7 when _engine.Current is not null:
                    _engine.LoseCurrent(inOrder: random.Next(2) == 0);
                    break;
                case 8 when _engine.Current is not null:
                    _engine.Hold();
                    break;
                case 9 when _engine.IsHeld && _engine.Current is not null:
                    if (_engine.Next is not null)
                        _engine.RefuseNext();
                    _engine.Flush();
                    break;
                case 10 when _engine.Previous is not null:
                    _engine.EndOverlap();
                    break;
                case 11 when _engine.Previous is not null:
                    _engine.LosePrevious(inOrder: random.Next(2) == 0);
                    break;
                default:
                    break;
            }
        }

        private void Settle()
        {
            // A move under way comes to its end.
            if (_engine.Current is null && _engine.Next is null)
                _engine.Dial();
            Pump();
            if (_engine.Next is not null)
            {
                if (_engine.Previous is not null)
                    _engine.LosePrevious(inOrder: true);
                _engine.Move();
            }

            if (_engine.IsHeld)
                _engine.Flush();
            Pump();
            Assert.Equal(0, _engine.Session.PendingOn(SessionLeg.Current));
            Assert.Equal(0, _engine.Session.PendingOn(SessionLeg.Previous));
            if (_engine.Previous is not null)
            {
                _engine.EndOverlap();
                Pump();
                foreach (var (id, operation) in ((GraphQlModelServer)_engine.Previous).Live)
                    Assert.False(_client.Live.TryGetValue(id, out var live) && live == operation, "a subscription lives on the endpoint that was left");
                _engine.LosePrevious(inOrder: true);
                Pump();
            }

            Assert.True(_engine.IsAtRest);
            Assert.True(_engine.Session.CanMove);
            Assert.Equal(0, _client.Pings);
            var server = (GraphQlModelServer)_engine.Current!;
            Assert.Equal(_client.Live.OrderBy(static pair => pair.Value.Number), server.Live.OrderBy(static pair => pair.Value.Number));
            Assert.All(_client.Live, static pair => Assert.True(pair.Value.IsSubscription));
            Assert.All(_world.Executed, static pair => Assert.Equal(1, pair.Value));
        }

        /// <summary>Until nothing is under way and every request is answered.</summary>
        private void Pump()
        {
            while (true)
            {
                if (_engine.FromClient.Count > 0)
                {
                    _engine.ReadClient();
                }
                else if (_engine.Servers.FirstOrDefault(static server => server.ToServer.Count > 0) is { } reading)
                {
                    reading.Read();
                }
                else if (_engine.Servers.FirstOrDefault(static server => server.FromServer.Count > 0) is { } speaking)
                {
                    _engine.ReadServer(speaking);
                }
                else if (_engine.ToClient.TryDequeue(out var message))
                {
                    _client.Read(message);
                }
                else
                {
                    foreach (var server in _engine.Servers)
                        ((GraphQlModelServer)server).Finish();
                    if (_engine.Servers.All(static server => server.FromServer.Count == 0))
                        return;
                }
            }
        }
    }
}
