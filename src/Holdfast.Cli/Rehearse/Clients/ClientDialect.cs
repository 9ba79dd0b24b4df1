using Holdfast.Cli.Rehearse.Judging;

namespace Holdfast.Cli.Rehearse.Clients;

/// <summary>What a message from the server is.</summary>
internal enum Heard
{
    /// <summary>Nothing to record: a greeting, a reply.</summary>
    Nothing,
    Answer,
    Tick,

    /// <summary>A ping of the protocol's own, to be answered with <see cref="ClientDialect.Pong"/>.</summary>
    Ping,

    /// <summary>What the protocol's client library ends the connection for.</summary>
    Fatal,
}

/// <summary>One client's side of a protocol: what it says, and what it makes of what it hears. One connection; its receiving task, but for <see cref="Question"/>.</summary>
internal abstract class ClientDialect(int connection)
{
    /// <summary>Of the connection, among all of the run.</summary>
    protected int Connection { get; } = connection;

    /// <summary>Offered in the handshake; null: none.</summary>
    public virtual string? SubProtocol => null;

    /// <summary>Null: no feed.</summary>
    public abstract string? Channel { get; }

    /// <summary>Questions may be sent.</summary>
    public abstract bool IsReady { get; }

    /// <summary>With <see cref="Heard.Answer"/>.</summary>
    public Answer Answer { get; protected set; }

    /// <summary>With <see cref="Heard.Tick"/>: its sequence.</summary>
    public long Tick { get; protected set; }

    /// <summary>The code to end the connection with, upon <see cref="Heard.Fatal"/>.</summary>
    public virtual ushort FatalCode => 1002;

    public virtual string Pong => "";

    /// <summary>After each handshake: what is said first.</summary>
    public abstract IReadOnlyList<string> Greet();

    /// <summary>What is said once <see cref="IsReady"/> has become true.</summary>
    public virtual IReadOnlyList<string> Prepare() => [];

    /// <param name="sequence">Of the question.</param>
    /// <param name="again">The same question a second time, on purpose.</param>
    /// <param name="micros">The time.</param>
    public abstract string Question(int sequence, bool again, long micros);

    /// <summary>Takes one whole message.</summary>
    public abstract Heard Take(ReadOnlySpan<byte> message, long at);
}
