using System.Buffers;
using Holdfast.Wire.Sessions;

namespace Holdfast.Fuzz.Sessions;

/// <summary>The machines under histories, and under bytes that claim to be a saved session. The first byte chooses the mode.</summary>
internal static class SessionTargets
{
    private const int MaxState = 2048;

    private static readonly JsonRules Rules = new(
        [new JsonRule([new("op", "sub")], ["ch"], "since"), new JsonRule([new("op", "login")], []), new JsonRule([new("m", "set")], ["p.a", "p.b"], "p.since")],
        [new JsonRule([new("op", "unsub")], ["ch"]), new JsonRule([new("m", "unset")], ["p.a", "p.b"])],
        [new JsonRule([new("ev", "ok")], ["ch"]), new JsonRule([new("ev", "welcome")], [])],
        "seq",
        ["ch"]);

    public static void GraphQl(ReadOnlySpan<byte> data) => Drive(data, NewGraphQl);

    public static void Json(ReadOnlySpan<byte> data) => Drive(data, NewJson);

    public static void GraphQlRestore(ReadOnlySpan<byte> data) => Restore(data, NewGraphQl(makeFirst: false), NewGraphQl(makeFirst: false));

    public static void JsonRestore(ReadOnlySpan<byte> data) => Restore(data, NewJson(makeFirst: false), NewJson(makeFirst: false));

    private static Session NewGraphQl(bool makeFirst) => new GraphQlSession(makeFirst, MaxState);

    private static Session NewJson(bool makeFirst) => new JsonSession(Rules, makeFirst, MaxState);

    private static void Drive(ReadOnlySpan<byte> data, Func<bool, Session> newSession)
    {
        if (data.IsEmpty)
            return;
        var makeFirst = data[0] == 'M';
        new SessionDriver(() => newSession(makeFirst)).Run(data[1..]);
    }

    /// <summary>What is taken is taken whole: it can be saved, restored and moved.</summary>
    private static void Restore(ReadOnlySpan<byte> data, Session session, Session again)
    {
        if (!session.Restore(data))
            return;
        var saved = new ArrayBufferWriter<byte>();
        session.Save(saved);
        FuzzFailure.Unless(again.Restore(saved.WrittenSpan), "what was restored cannot be saved and restored");
        var output = new SessionOutput();
        session.OnLost(output);
        session.Greet(output);
        if (session.CanMove && session.IsGreeted)
            session.Move(hasPrevious: false, output);
        session.OnFlushed();
    }
}
