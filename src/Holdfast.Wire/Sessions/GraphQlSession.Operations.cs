using System.Buffers;
using Holdfast.Wire.Sessions.GraphQl;

namespace Holdfast.Wire.Sessions;

/// <summary>Which operations live, and on which leg.</summary>
public sealed partial class GraphQlSession
{
    /// <summary>Before the messages to the next endpoint: what becomes of operations on the one that is left.</summary>
    private void LeaveBehind(SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || !Has(MarksOf(i), OperationMarks.OnCurrent))
                continue;
            if (IsRequest(MarksOf(i)))
            {
                SetMarks(i, OperationMarks.Request | OperationMarks.OnPrevious);
            }
            else if (makeFirst)
            {
                SetMarks(i, MarksOf(i) | OperationMarks.OnPrevious);
            }
            else
            {
                AddComplete(output, SessionLeg.Previous, _operations.KeyOf(i));
                SetMarks(i, MarksOf(i) & ~OperationMarks.OnCurrent);
            }
        }
    }

    private void SendSubscriptions(SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || (MarksOf(i) & (OperationMarks.Request | OperationMarks.Waiting)) != 0)
                continue;
            if (Has(MarksOf(i), OperationMarks.Unkept))
            {
                AddError(output, _operations.KeyOf(i), "This subscription could not be moved to another endpoint."u8);
                RemoveOperation(i);
                continue;
            }

            output.Add(SessionLeg.Current, _operations.MessageOf(i));
            SetMarks(i, MarksOf(i) | OperationMarks.OnCurrent);
        }
    }

    /// <summary>A leg is gone: its requests end with an error, its subscriptions are nowhere, or on the other leg.</summary>
    private void Leave(OperationMarks leg, SessionOutput output)
    {
        for (var i = 0; i < OperationsEnd; i++)
        {
            if (!_operations!.IsLive(i) || !Has(MarksOf(i), leg))
                continue;
            if (IsRequest(MarksOf(i)))
            {
                AddError(output, _operations.KeyOf(i), "The endpoint was lost while this operation ran; it may or may not have been executed."u8);
                RemoveOperation(i);
            }
            else
            {
                SetMarks(i, MarksOf(i) & ~leg);
            }
        }
    }

    private void AnswerPings(SessionLeg leg, SessionOutput output)
    {
        Span<byte> payload = stackalloc byte[PingQueue.Capacity];
        while (_pings.TryTake(leg, payload, out var length))
            AddPong(output, SessionLeg.Client, payload[..length]);
    }

    private int Find(in GraphQlMessage read)
    {
        if (_operations is null || _operations.Count == 0)
            return -1;
        if (read.IdLengthAtMost <= ShortId)
        {
            Span<byte> id = stackalloc byte[ShortId];
            return _operations.Find(id[..read.ReadId(id)]);
        }

        var rented = ArrayPool<byte>.Shared.Rent(read.IdLengthAtMost);
        var found = _operations.Find(rented.AsSpan(0, read.ReadId(rented)));
        ArrayPool<byte>.Shared.Return(rented);
        return found;
    }

    private OperationMarks MarksOf(int i) => (OperationMarks)_operations!.MarksOf(i);

    private void AddOperation(ReadOnlySpan<byte> id, ReadOnlySpan<byte> message, OperationMarks marks)
    {
        _idBytes += id.Length;
        _stateBytes += message.Length;
        Count(marks, 1);
        _operations!.Add(id, message, (byte)marks);
    }

    private void RemoveOperation(int i)
    {
        _idBytes -= _operations!.KeyOf(i).Length;
        _stateBytes -= _operations.MessageOf(i).Length;
        Count(MarksOf(i), -1);
        _operations.Remove(i);
    }

    private void SetMarks(int i, OperationMarks marks)
    {
        Count(MarksOf(i), -1);
        Count(marks, 1);
        _operations!.MarksOf(i) = (byte)marks;
    }

    private void Count(OperationMarks marks, short one)
    {
        if (Has(marks, OperationMarks.Unkept))
            _unkept += one;
        if (!IsRequest(marks))
            return;
        if (Has(marks, OperationMarks.OnCurrent))
            _requestsOnCurrent += one;
        if (Has(marks, OperationMarks.OnPrevious))
            _requestsOnPrevious += one;
    }

    private static void AddComplete(SessionOutput output, SessionLeg to, ReadOnlySpan<byte> id) =>
        AddAbout(output, to, id, ",\"type\":\"complete\"}"u8, default, default);

    private static void AddError(SessionOutput output, ReadOnlySpan<byte> id, ReadOnlySpan<byte> text) =>
        AddAbout(output, SessionLeg.Client, id, ",\"type\":\"error\",\"payload\":[{\"message\":\""u8, text, "\"}]}"u8);

    private static void AddAbout(
        SessionOutput output, SessionLeg to, ReadOnlySpan<byte> id, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third, ReadOnlySpan<byte> fourth)
    {
        var first = "{\"id\":"u8;
        var rented = ArrayPool<byte>.Shared.Rent(first.Length + JsonText.MaxWritten(id.Length) + second.Length + third.Length + fourth.Length);
        first.CopyTo(rented);
        var length = first.Length + JsonText.Write(id, rented.AsSpan(first.Length));
        second.CopyTo(rented.AsSpan(length));
        length += second.Length;
        third.CopyTo(rented.AsSpan(length));
        length += third.Length;
        fourth.CopyTo(rented.AsSpan(length));
        output.Add(to, rented.AsSpan(0, length + fourth.Length));
        ArrayPool<byte>.Shared.Return(rented);
    }

    private static void AddPong(SessionOutput output, SessionLeg to, ReadOnlySpan<byte> payload)
    {
        if (payload.IsEmpty)
        {
            output.Add(to, "{\"type\":\"pong\"}"u8);
            return;
        }

        var first = "{\"type\":\"pong\",\"payload\":"u8;
        var rented = ArrayPool<byte>.Shared.Rent(first.Length + payload.Length + 1);
        first.CopyTo(rented);
        payload.CopyTo(rented.AsSpan(first.Length));
        rented[first.Length + payload.Length] = (byte)'}';
        output.Add(to, rented.AsSpan(0, first.Length + payload.Length + 1));
        ArrayPool<byte>.Shared.Return(rented);
    }
}
