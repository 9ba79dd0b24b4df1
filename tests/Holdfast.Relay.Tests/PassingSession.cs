using System.Buffers;
using Holdfast.Wire.Sessions;

namespace Holdfast.Relay.Tests;

/// <summary>A machine that looks at every message and lets all of them pass.</summary>
internal class PassingSession : Session
{
    public override bool DialsFirst => false;

    public override bool CanMove => true;

    public override bool IsGreeted => true;

    public override ClientVerdict OnClientMessage(in SessionMessage message, bool isHeld, SessionOutput output) => ClientVerdict.Pass;

    public override ServerVerdict OnServerMessage(in SessionMessage message, SessionLeg from, SessionOutput output) => ServerVerdict.Pass;

    public override int? PendingOn(SessionLeg leg) => null;

    public override void OnLost(SessionOutput output)
    {
    }

    public override void Greet(SessionOutput output)
    {
    }

    public override void OnNextGone()
    {
    }

    public override void Move(bool hasPrevious, SessionOutput output)
    {
    }

    public override void OnFlushed()
    {
    }

    public override void EndOverlap(SessionOutput output)
    {
    }

    public override void OnPreviousGone(SessionOutput output)
    {
    }

    public override bool IsFinalRefusal(ushort closeCode) => false;

    public override void Save(IBufferWriter<byte> destination)
    {
    }

    public override bool Restore(ReadOnlySpan<byte> saved) => true;
}
