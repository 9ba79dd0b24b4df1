using System.Buffers;
using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>An endpoint of the model: its end of a leg, with what is under way in both directions.</summary>
internal abstract class ModelServer
{
    public Queue<byte[]> ToServer { get; } = new();

    public Queue<byte[]> FromServer { get; } = new();

    /// <summary>Reads one message that has arrived.</summary>
    public void Read() => OnMessage(ToServer.Dequeue());

    /// <summary>Says something of its own accord.</summary>
    public abstract void Act(Random random);

    protected abstract void OnMessage(byte[] message);
}

/// <summary>Drives a session machine as its life cycle is documented, with queues for sockets; every step is chosen from outside.</summary>
internal sealed class ModelEngine(Func<Session> newSession, Func<ModelServer> newServer)
{
    private readonly SessionOutput _output = new();
    private readonly Queue<byte[]> _held = new();
    private readonly List<byte[]> _waiting = [];
    private Session _session = newSession();

    public Queue<byte[]> ToClient { get; } = new();

    public Queue<byte[]> FromClient { get; } = new();

    public ModelServer? Current { get; private set; } = newServer();

    public ModelServer? Next { get; private set; }

    public ModelServer? Previous { get; private set; }

    public bool IsHeld { get; private set; }

    public Session Session => _session;

    public IEnumerable<ModelServer> Servers => new[] { Current, Next, Previous }.OfType<ModelServer>();

    public bool IsAtRest => Current is not null && Next is null && Previous is null && !IsHeld;

    public void ReadClient()
    {
        var message = FromClient.Dequeue();
        var isHeld = IsHeld;
        var verdict = _session.OnClientMessage(new SessionMessage(message, isText: true, isWhole: true), isHeld, _output);
        Send();
        if (verdict == ClientVerdict.PassToPrevious)
        {
            Assert.NotNull(Previous);
            Previous.ToServer.Enqueue(message);
        }
        else if (verdict == ClientVerdict.Pass)
        {
            (isHeld ? _held : Current!.ToServer).Enqueue(message);
        }
    }

    public void ReadServer(ModelServer server) => Ask(server.FromServer.Dequeue(), LegOf(server));

    public void Dial()
    {
        Next = newServer();
        _session.Greet(_output);
        Send();
    }

    public void RefuseNext()
    {
        Next = null;
        _session.OnNextGone();
    }

    /// <summary>The current endpoint is gone; what it had said is read first if it closed in order.</summary>
    public void LoseCurrent(bool inOrder)
    {
        IsHeld = true;
        if (inOrder)
        {
            while (Current!.ToServer.Count > 0)
                Current.Read();
            while (Current.FromServer.Count > 0)
                ReadServer(Current);
        }

        // What waited was its own: the next one says it again, or the previous one does.
        _waiting.Clear();
        Current = null;
        _session.OnLost(_output);
        Send();
    }

    /// <summary>From now the client waits: a fence may be under way.</summary>
    public void Hold() => IsHeld = true;

    public bool CanMove => Next is not null && _session.IsGreeted && (Current is null || Previous is null);

    public void Move()
    {
        Assert.True(_session.CanMove);
        var hasPrevious = Current is not null;
        if (hasPrevious)
            Previous = Current;
        Current = Next;
        Next = null;
        _session.Move(hasPrevious, _output);
        Send();
        Flush();
    }

    public void Flush()
    {
        while (_held.TryDequeue(out var message))
            Current!.ToServer.Enqueue(message);
        _session.OnFlushed();
        IsHeld = false;
    }

    public void EndOverlap()
    {
        _session.EndOverlap(_output);
        Send();
    }

    public void LosePrevious(bool inOrder)
    {
        var previous = Previous!;
        if (inOrder)
        {
            while (previous.ToServer.Count > 0)
                previous.Read();
            while (previous.FromServer.Count > 0)
                ReadServer(previous);
        }

        Previous = null;
        _session.OnPreviousGone(_output);
        Send();
        byte[][] waiting = [.. _waiting];
        _waiting.Clear();
        foreach (var message in waiting)
            Ask(message, SessionLeg.Current);
    }

    public void SaveAndRestore()
    {
        var saved = new ArrayBufferWriter<byte>();
        _session.Save(saved);
        var restored = newSession();
        Assert.True(restored.Restore(saved.WrittenSpan));
        var again = new ArrayBufferWriter<byte>();
        restored.Save(again);
        Assert.Equal(saved.WrittenSpan, again.WrittenSpan);
        _session = restored;
    }

    public SessionLeg LegOf(ModelServer server) =>
        server == Current ? SessionLeg.Current : server == Next ? SessionLeg.Next : SessionLeg.Previous;

    private void Ask(byte[] message, SessionLeg from)
    {
        var verdict = _session.OnServerMessage(new SessionMessage(message, isText: true, isWhole: true), from, _output);

        // What the machine says because of a message comes behind it.
        if (verdict is ServerVerdict.Pass or ServerVerdict.PassPush)
            ToClient.Enqueue(message);
        else if (verdict == ServerVerdict.Wait)
            _waiting.Add(message);
        Assert.True(verdict != ServerVerdict.Wait || from == SessionLeg.Current);
        Send();
    }

    private void Send()
    {
        for (var i = 0; i < _output.Count; i++)
        {
            var message = _output.PayloadOf(i).ToArray();
            switch (_output.LegOf(i))
            {
                case SessionLeg.Client:
                    ToClient.Enqueue(message);
                    break;
                case SessionLeg.Current:
                    Current!.ToServer.Enqueue(message);
                    break;
                case SessionLeg.Next:
                    Next!.ToServer.Enqueue(message);
                    break;
                default:
                    Previous!.ToServer.Enqueue(message);
                    break;
            }
        }

        _output.Clear();
    }
}
