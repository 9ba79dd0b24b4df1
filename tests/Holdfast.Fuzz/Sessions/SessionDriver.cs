using System.Buffers;
using Holdfast.Wire.Sessions;

namespace Holdfast.Fuzz.Sessions;

/// <summary>
/// Drives a session machine through its life cycle by the bytes of an input: lines, each a byte that says what happens and, for a message, its text. Whatever the
/// messages are, the machine never throws, speaks to legs that there are only, counts no less than zero, and is the same after it was saved and restored.
/// </summary>
internal sealed class SessionDriver(Func<Session> newSession)
{
    private readonly SessionOutput _output = new();
    private Session _session = newSession();
    private bool _hasCurrent = true;
    private bool _hasNext;
    private bool _hasPrevious;
    private bool _isHeld;

    public void Run(ReadOnlySpan<byte> data)
    {
        foreach (var line in data.Split((byte)'\n'))
        {
            if (!data[line].IsEmpty)
                Do(data[line][0], data[line][1..]);
            Check();
        }
    }

    private void Do(byte what, ReadOnlySpan<byte> text)
    {
        switch (what)
        {
            case (byte)'c' or (byte)'C':
                OnClientMessage(text, isWhole: what == 'c');
                break;
            case (byte)'s' or (byte)'S' when _hasCurrent:
                OnServerMessage(text, SessionLeg.Current, isWhole: what == 's');
                break;
            case (byte)'n' when _hasNext:
                OnServerMessage(text, SessionLeg.Next, isWhole: true);
                break;
            case (byte)'p' or (byte)'P' when _hasPrevious:
                OnServerMessage(text, SessionLeg.Previous, isWhole: what == 'p');
                break;
            case (byte)'l' when _hasCurrent:
                _hasCurrent = false;
                _isHeld = true;
                _session.OnLost(_output);
                break;
            case (byte)'h':
                _isHeld = true;
                break;
            case (byte)'d' when !_hasNext:
                _hasNext = true;
                _session.Greet(_output);
                break;
            case (byte)'r' when _hasNext:
                _hasNext = false;
                _session.OnNextGone();
                break;
            case (byte)'m' when _hasNext && _session.IsGreeted:
                Move();
                break;
            case (byte)'e' when _hasPrevious:
                _session.EndOverlap(_output);
                break;
            case (byte)'g' when _hasPrevious:
                _hasPrevious = false;
                _session.OnPreviousGone(_output);
                break;
            case (byte)'v' when !_hasNext && !_hasPrevious:
                SaveAndRestore();
                break;
            default:
                break;
        }
    }

    private void OnClientMessage(ReadOnlySpan<byte> text, bool isWhole)
    {
        var verdict = _session.OnClientMessage(new SessionMessage(text, isText: true, isWhole), _isHeld, _output);
        FuzzFailure.Unless(verdict != ClientVerdict.PassToPrevious || _hasPrevious, "a message to a previous endpoint that there is not");
    }

    private void OnServerMessage(ReadOnlySpan<byte> text, SessionLeg from, bool isWhole)
    {
        var verdict = _session.OnServerMessage(new SessionMessage(text, isText: true, isWhole), from, _output);
        FuzzFailure.Unless(verdict != ServerVerdict.Wait || (from == SessionLeg.Current && _hasPrevious), "a message waits for nothing");
    }

    private void Move()
    {
        var hasPrevious = _hasCurrent;
        if (hasPrevious && _hasPrevious)
            _session.OnPreviousGone(_output);
        _hasPrevious |= hasPrevious;
        _hasCurrent = true;
        _hasNext = false;
        _session.Move(hasPrevious, _output);
        _session.OnFlushed();
        _isHeld = false;
    }

    private void SaveAndRestore()
    {
        var saved = new ArrayBufferWriter<byte>();
        _session.Save(saved);
        var restored = newSession();
        FuzzFailure.Unless(restored.Restore(saved.WrittenSpan), "what was saved is not restored");
        var again = new ArrayBufferWriter<byte>();
        restored.Save(again);
        FuzzFailure.Unless(saved.WrittenSpan.SequenceEqual(again.WrittenSpan), "what was restored is saved otherwise");
        FuzzFailure.UnlessEqual(_session.CanMove, restored.CanMove, "a restored session moves");
        FuzzFailure.UnlessEqual(_session.PendingOn(SessionLeg.Current), restored.PendingOn(SessionLeg.Current), "requests of a restored session");
        _session = restored;
    }

    private void Check()
    {
        for (var i = 0; i < _output.Count; i++)
        {
            var isThere = _output.LegOf(i) switch
            {
                SessionLeg.Client => true,
                SessionLeg.Current => _hasCurrent,
                SessionLeg.Next => _hasNext,
                _ => _hasPrevious,
            };
            FuzzFailure.Unless(isThere, $"a message to {_output.LegOf(i)}, which there is not");
            FuzzFailure.Unless(!_output.PayloadOf(i).IsEmpty, "an empty message");
        }

        _output.Clear();
        FuzzFailure.Unless(_session.PendingOn(SessionLeg.Current) is null or >= 0, "fewer requests than none");
        FuzzFailure.Unless(_session.PendingOn(SessionLeg.Previous) is not > 0 || _hasPrevious, "requests on no endpoint");
    }
}
