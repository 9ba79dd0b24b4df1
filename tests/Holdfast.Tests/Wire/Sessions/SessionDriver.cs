using System.Buffers;
using System.Text;
using Holdfast.Wire.Sessions;
using Xunit;

namespace Holdfast.Tests.Wire.Sessions;

/// <summary>Talks to a machine in strings. What the machine wanted sent stands in <see cref="Sent"/> as "Leg: message" after each call.</summary>
internal sealed class SessionDriver(Session session)
{
    private readonly SessionOutput _output = new();

    public Session Session => session;

    public string[] Sent { get; private set; } = [];

    public ClientVerdict Client(string message, bool isHeld = false, bool isWhole = true)
    {
        var verdict = session.OnClientMessage(new SessionMessage(Encoding.UTF8.GetBytes(message), isText: true, isWhole), isHeld, _output);
        Take();
        return verdict;
    }

    public ServerVerdict Server(string message, SessionLeg from = SessionLeg.Current, bool isWhole = true)
    {
        var verdict = session.OnServerMessage(new SessionMessage(Encoding.UTF8.GetBytes(message), isText: true, isWhole), from, _output);
        Take();
        return verdict;
    }

    public string[] Lose() => Take(session.OnLost);

    public string[] Greet() => Take(session.Greet);

    public string[] Move(bool hasPrevious) => Take(output => session.Move(hasPrevious, output));

    public string[] EndOverlap() => Take(session.EndOverlap);

    public string[] LosePrevious() => Take(session.OnPreviousGone);

    public byte[] Save()
    {
        var saved = new ArrayBufferWriter<byte>();
        session.Save(saved);
        return saved.WrittenSpan.ToArray();
    }

    /// <summary>Demands that no part of what is saved is taken for the whole, and that no other byte makes it throw.</summary>
    public static void AssertStrict(byte[] saved, Func<Session> newSession)
    {
        Assert.True(newSession().Restore(saved));
        for (var length = 0; length < saved.Length; length++)
            Assert.False(newSession().Restore(saved.AsSpan(0, length)));
        Assert.False(newSession().Restore([.. saved, 0]));
        for (var i = 0; i < saved.Length; i++)
        {
            byte[] changed = [.. saved];
            changed[i] ^= 0xFF;
            var restored = newSession();
            if (restored.Restore(changed))
                restored.Save(new ArrayBufferWriter<byte>());
        }
    }

    private string[] Take(Action<SessionOutput> action)
    {
        action(_output);
        Take();
        return Sent;
    }

    private void Take()
    {
        Sent = [.. Enumerable.Range(0, _output.Count).Select(i => $"{_output.LegOf(i)}: {Encoding.UTF8.GetString(_output.PayloadOf(i))}")];
        _output.Clear();
    }
}
