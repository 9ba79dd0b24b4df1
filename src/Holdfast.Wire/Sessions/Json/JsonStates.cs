using System.Buffers;
using System.Buffers.Binary;

namespace Holdfast.Wire.Sessions.Json;

/// <summary>
/// The set messages that count, in the order in which their states were first set, and the states that each of them makes. A message goes with its last state.
/// </summary>
internal sealed class JsonStates
{
    private const int MessageHead = 12;
    private const int StateLength = 20;

    /// <summary>By serial: how many of its states are live, how many it made, its rule, whether it is text; then the message.</summary>
    private readonly LiveMessages _messages = new();

    /// <summary>
    /// By rule and name: the serial of the message, the reply rules that answered it, those whose answer is to come once more from Current and from Previous,
    /// those that were asked on both and have not answered.
    /// </summary>
    private readonly LiveMessages _states = new();
    private int _serial;

    public int Count => _states.Count;

    public int MessageCount => _messages.Count;

    /// <summary>Bytes kept.</summary>
    public int Bytes { get; private set; }

    /// <summary>Walk messages from 0 to here, over those that are <see cref="IsLive"/>.</summary>
    public int End => _messages.End;

    public bool IsLive(int message) => _messages.IsLive(message);

    public ReadOnlySpan<byte> PayloadOf(int message) => _messages.MessageOf(message)[MessageHead..];

    public int RuleOf(int message) => _messages.MessageOf(message)[8];

    public bool IsText(int message) => _messages.MessageOf(message)[9] != 0;

    /// <summary>Every state that the message made counts still.</summary>
    public bool IsWhole(int message) => Int(_messages.MessageOf(message)) == Int(_messages.MessageOf(message)[4..]);

    /// <summary>Whether the state of this name was made by this message.</summary>
    public bool IsOf(int message, int rule, ReadOnlySpan<byte> name)
    {
        var state = Find(rule, name);
        return state >= 0 && SerialOf(state) == Int(_messages.KeyOf(message));
    }

    /// <returns>-1: there is none.</returns>
    public int Find(int rule, ReadOnlySpan<byte> name)
    {
        Span<byte> key = stackalloc byte[1 + JsonKeys.MaxLength];
        return _states.Find(KeyOf(rule, name, key));
    }

    /// <summary>
    /// Whether a reply comes once more for what was sent again, and the client has had it: the one of Current where it was answered before, the second of the
    /// two where both legs were asked and neither had answered.
    /// </summary>
    public bool IsRepeated(int state, int reply, bool isFromPrevious, out bool isFirst)
    {
        var bit = 1U << reply;
        ref var awaits = ref Awaits(state, isFromPrevious);
        ref var answered = ref AnsweredBy(state);
        isFirst = false;
        if ((awaits & bit) != 0)
        {
            awaits &= ~bit;
            ForgetIfOver(state);
            return true;
        }

        if ((answered & bit) != 0)
            return false;
        isFirst = true;
        answered |= bit;
        if ((AskedOnBoth(state) & bit) == 0)
            return false;
        AskedOnBoth(state) &= ~bit;
        Awaits(state, !isFromPrevious) |= bit;
        return false;
    }

    /// <summary>All messages have been sent to Current.</summary>
    /// <param name="isMoved">What was Current is Previous.</param>
    public void OnSentAgain(bool isMoved, bool hasPrevious)
    {
        for (var i = 0; i < _states.End; i++)
        {
            if (!_states.IsLive(i))
                continue;
            if (isMoved)
                Awaits(i, isFromPrevious: true) = Awaits(i, isFromPrevious: false);
            var isOver = SerialOf(i) == 0;
            Awaits(i, isFromPrevious: false) = isOver ? 0 : AnsweredBy(i);
            AskedOnBoth(i) = isOver || !hasPrevious ? 0 : ~AnsweredBy(i);
            ForgetIfOver(i);
        }
    }

    /// <summary>A leg answers no more.</summary>
    public void OnGone(bool isPrevious)
    {
        for (var i = 0; i < _states.End; i++)
        {
            if (!_states.IsLive(i))
                continue;
            Awaits(i, isPrevious) = 0;
            AskedOnBoth(i) = 0;
            ForgetIfOver(i);
        }
    }

    /// <summary>Takes in a set message.</summary>
    /// <returns>False: it would be more than is allowed, or cannot be followed; nothing was changed.</returns>
    public bool TrySet(int rule, int[] key, ReadOnlySpan<byte> payload, ReadOnlySpan<JsonValue> values, bool isText, int maxStates, int maxBytes)
    {
        Span<byte> scratch = stackalloc byte[JsonKeys.MaxLength];
        var names = new JsonKeys(payload, values, key, scratch);
        if (names.HasSeveralLists)
            return false;
        var more = 0;
        var bytes = Bytes + MessageHead + payload.Length;
        for (; names.MoveNext(); more++)
        {
            bytes += names.Current.Length + 1 + StateLength;
            if (names.IsTooLong || bytes > maxBytes || Count + more >= maxStates)
                return false;
        }

        var serial = ++_serial;
        var first = -1;
        var made = 0;
        names = new JsonKeys(payload, values, key, scratch);
        while (names.MoveNext())
        {
            var state = Find(rule, names.Current);
            if (state < 0)
            {
                AddState(rule, names.Current, serial);
                made++;
                continue;
            }

            var before = SerialOf(state);
            if (before == serial)
                continue; // Twice in one list.
            made++;
            SetInt(_states.MessageToChange(state), serial);
            AnsweredBy(state) = 0;
            if (before == 0)
                continue;
            if (first < 0)
                first = before;
            Release(before, isKept: before == first);
        }

        if (made == 0)
            return true;
        var place = first < 0 ? -1 : FindMessage(first);
        if (place >= 0 && Int(_messages.MessageOf(place)) == 0)
        {
            // All that the earlier message made is made by this one: it takes its place in the order, and its serial.
            names = new JsonKeys(payload, values, key, scratch);
            while (names.MoveNext())
                SetInt(_states.MessageToChange(Find(rule, names.Current)), first);
            PutMessage(place, first, rule, isText, made, payload);
        }
        else
        {
            PutMessage(-1, serial, rule, isText, made, payload);
        }

        return true;
    }

    /// <summary>The state is no more. Its name stays for as long as an answer is to come that the client has had.</summary>
    public void Remove(int state)
    {
        var serial = SerialOf(state);
        if (serial == 0)
            return;
        SetInt(_states.MessageToChange(state), 0);
        AnsweredBy(state) = uint.MaxValue;
        Release(serial, isKept: false);
        ForgetIfOver(state);
    }

    public void Clear()
    {
        for (var i = 0; i < _states.End; i++)
        {
            if (_states.IsLive(i))
                Remove(i);
        }
    }

    public void Save(IBufferWriter<byte> destination)
    {
        destination.WriteCount(_messages.Count);
        for (var i = 0; i < _messages.End; i++)
        {
            if (!_messages.IsLive(i))
                continue;
            destination.WriteBytes(_messages.KeyOf(i));
            destination.WriteBytes(_messages.MessageOf(i));
        }

        destination.WriteCount(_states.Count);
        for (var i = 0; i < _states.End; i++)
        {
            if (!_states.IsLive(i))
                continue;
            destination.WriteBytes(_states.KeyOf(i));
            destination.WriteBytes(_states.MessageOf(i));
        }
    }

    public bool TryRestore(ref SavedState saved, JsonRules rules, int maxStates, int maxBytes)
    {
        if (!saved.TryReadCount(maxStates, out var messages))
            return false;
        for (; messages > 0; messages--)
        {
            if (!saved.TryReadBytes(sizeof(int), out var key) || key.Length != sizeof(int) || !saved.TryReadBytes(maxBytes, out var message)
                || !IsMessage(message, rules) || Int(key) <= 0 || _messages.Find(key) >= 0)
            {
                return false;
            }

            _serial = Math.Max(_serial, Int(key));
            Bytes += message.Length;
            SetInt(_messages.MessageToChange(_messages.Add(key, message, 0)), 0);
        }

        if (!saved.TryReadCount(maxStates, out var states))
            return false;
        for (; states > 0; states--)
        {
            if (!saved.TryReadBytes(1 + JsonKeys.MaxLength, out var key) || key.IsEmpty || !saved.TryReadBytes(StateLength, out var state)
                || state.Length != StateLength || _states.Find(key) >= 0)
            {
                return false;
            }

            var isOver = Int(state) == 0;
            if (state[12..].ContainsAnyExcept((byte)0))
                return false; // There is no previous leg when a session is saved.
            if (isOver && BinaryPrimitives.ReadUInt32LittleEndian(state[8..]) == 0)
                return false;
            var message = isOver ? 0 : _messages.Find(state[..sizeof(int)]);
            _states.Add(key, state, 0);
            Bytes += key.Length + StateLength;
            if (isOver)
                continue;
            if (message < 0 || RuleOf(message) != key[0])
                return false;
            var head = _messages.MessageToChange(message);
            SetInt(head, Int(head) + 1);
        }

        // No message without a state, none with more than it made.
        for (var i = 0; i < _messages.End; i++)
        {
            var head = _messages.MessageOf(i);
            if (Int(head) < 1 || Int(head) > Int(head[4..]))
                return false;
        }

        return Bytes <= maxBytes;
    }

    private static bool IsMessage(ReadOnlySpan<byte> message, JsonRules rules)
    {
        if (message.Length <= MessageHead || message[8] >= rules.Set.Length || message[9] > 1)
            return false;
        Span<JsonValue> values = stackalloc JsonValue[rules.ClientPaths.Count];
        var payload = message[MessageHead..];
        return rules.ClientPaths.Read(new SessionMessage(payload, isText: true, isWhole: true), values) && rules.Set[message[8]].Matches(payload, values);
    }

    private static ReadOnlySpan<byte> KeyOf(int rule, ReadOnlySpan<byte> name, Span<byte> key)
    {
        key[0] = (byte)rule;
        name.CopyTo(key[1..]);
        return key[..(1 + name.Length)];
    }

    private static int Int(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadInt32LittleEndian(bytes);

    private static void SetInt(Span<byte> bytes, int value) => BinaryPrimitives.WriteInt32LittleEndian(bytes, value);

    /// <summary>0: what is left of a state that is no more.</summary>
    private int SerialOf(int state) => Int(_states.MessageOf(state));

    private void ForgetIfOver(int state)
    {
        if (SerialOf(state) != 0 || (Awaits(state, isFromPrevious: false) | Awaits(state, isFromPrevious: true)) != 0)
            return;
        Bytes -= _states.KeyOf(state).Length + StateLength;
        _states.Remove(state);
    }

    private ref uint AnsweredBy(int state) => ref Mask(state, 4);

    private ref uint Awaits(int state, bool isFromPrevious) => ref Mask(state, isFromPrevious ? 12 : 8);

    private ref uint AskedOnBoth(int state) => ref Mask(state, 16);

    private ref uint Mask(int state, int at) =>
        ref System.Runtime.InteropServices.MemoryMarshal.AsRef<uint>(_states.MessageToChange(state).Slice(at, sizeof(uint)));

    private int FindMessage(int serial)
    {
        Span<byte> key = stackalloc byte[sizeof(int)];
        SetInt(key, serial);
        return _messages.Find(key);
    }

    private void AddState(int rule, ReadOnlySpan<byte> name, int serial)
    {
        Span<byte> key = stackalloc byte[1 + JsonKeys.MaxLength];
        Span<byte> state = stackalloc byte[StateLength];
        state.Clear();
        SetInt(state, serial);
        _states.Add(KeyOf(rule, name, key), state, 0);
        Bytes += 1 + name.Length + StateLength;
    }

    private void PutMessage(int place, int serial, int rule, bool isText, int made, ReadOnlySpan<byte> payload)
    {
        var rented = ArrayPool<byte>.Shared.Rent(MessageHead + payload.Length);
        var message = rented.AsSpan(0, MessageHead + payload.Length);
        message[..MessageHead].Clear();
        SetInt(message, made);
        SetInt(message[4..], made);
        message[8] = (byte)rule;
        message[9] = isText ? (byte)1 : (byte)0;
        payload.CopyTo(message[MessageHead..]);
        Bytes += message.Length;
        if (place >= 0)
        {
            Bytes -= _messages.MessageOf(place).Length;
            _messages.SetMessage(place, message);
        }
        else
        {
            Span<byte> key = stackalloc byte[sizeof(int)];
            SetInt(key, serial);
            _messages.Add(key, message, 0);
        }

        ArrayPool<byte>.Shared.Return(rented);
    }

    private void Release(int serial, bool isKept)
    {
        var message = FindMessage(serial);
        var head = _messages.MessageToChange(message);
        SetInt(head, Int(head) - 1);
        if (isKept || Int(head) > 0)
            return;
        Bytes -= head.Length;
        _messages.Remove(message);
    }
}
