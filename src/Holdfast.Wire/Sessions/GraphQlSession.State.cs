using System.Buffers;
using Holdfast.Wire.Sessions.GraphQl;

namespace Holdfast.Wire.Sessions;

/// <summary>What is saved, and restored.</summary>
public sealed partial class GraphQlSession
{
    public override void Save(IBufferWriter<byte> destination)
    {
        if (_isGreeting || _hasPrevious)
            throw new InvalidOperationException("A session is not saved in the middle of a re-home.");
        destination.Write(Version);
        destination.Write((byte)((_hasInit ? 1 : 0) | (_initWaits ? 2 : 0) | (_ackPassed ? 4 : 0) | (_isLost ? 8 : 0) | (_isUnsure ? 16 : 0)));
        destination.WriteBytes(_init);
        destination.WriteBytes(_pings.Bytes);
        destination.WriteCount(_operations?.Count ?? 0);
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i))
                continue;
            destination.Write((byte)MarksOf(i));
            destination.WriteBytes(_operations.KeyOf(i));
            destination.WriteBytes(_operations.MessageOf(i));
        }
    }

    public override bool Restore(ReadOnlySpan<byte> saved)
    {
        var state = new SavedState(saved);
        if (!state.TryReadByte(out var version) || version != Version || !state.TryReadByte(out var flags) || flags > 31
            || !state.TryReadBytes(maxState, out var init) || !state.TryReadBytes(PingQueue.Capacity, out var pings) || !_pings.TryRestore(pings)
            || !state.TryReadCount(MaxOperations, out var operations))
        {
            return false;
        }

        _hasInit = (flags & 1) != 0;
        _initWaits = (flags & 2) != 0;
        _ackPassed = (flags & 4) != 0;
        _isLost = (flags & 8) != 0;
        _isUnsure = (flags & 16) != 0;
        _init = init.IsEmpty ? null : init.ToArray();
        _stateBytes = init.Length;
        if ((_hasInit ? _init is null && !_isUnsure : _init is not null || _initWaits) || (_isLost && !pings.IsEmpty))
            return false;
        for (; operations > 0; operations--)
        {
            if (!TryRestoreOperation(ref state))
                return false;
        }

        return state.IsAtEnd;
    }

    private bool TryRestoreOperation(ref SavedState state)
    {
        if (!state.TryReadByte(out var saved) || !state.TryReadBytes(MaxIds - _idBytes, out var id) || id.IsEmpty
            || !state.TryReadBytes(maxState - _stateBytes, out var message))
        {
            return false;
        }

        var marks = (OperationMarks)saved;
        var where = marks & (OperationMarks.OnCurrent | OperationMarks.Waiting);
        var kind = marks & (OperationMarks.Request | OperationMarks.Unkept);
        var isSomewhere = where is OperationMarks.OnCurrent or OperationMarks.Waiting || (where == OperationMarks.None && kind != OperationMarks.Request);
        var isKept = kind == OperationMarks.None;
        _operations ??= new LiveMessages();
        if ((where | kind) != marks || !isSomewhere || (_isLost && where == OperationMarks.OnCurrent)
            || kind == (OperationMarks.Request | OperationMarks.Unkept) || isKept == message.IsEmpty || _operations.Find(id) >= 0)
        {
            return false;
        }

        AddOperation(id, message, marks);
        return true;
    }
}
