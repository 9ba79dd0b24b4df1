using Holdfast.Relay.Interop;
using Holdfast.Wire.Sessions;

namespace Holdfast.Relay.Holding;

/// <summary>The held pairs of one loop: plain structs by index from 1, and beside them what cannot be plain. One thread.</summary>
internal sealed class HeldPairs(int capacity) : IDisposable
{
    private readonly NativeSlab<HeldPair> _slab = new(capacity + 1);
    private HoldSettings?[] _settings = new HoldSettings?[16];
    private Session?[] _sessions = new Session?[16];

    public ref HeldPair this[int index] => ref _slab[index];

    public HoldSettings SettingsOf(int index) => _settings[index]!;

    public Session? SessionOf(int index) => _sessions[index];

    /// <summary>0: there is no room.</summary>
    public int Rent(HoldSettings settings, Session? session)
    {
        if (_slab.HighWater == 0)
            _ = _slab.Rent();       // 0 marks a pair that is not held.
        var index = _slab.Rent();
        if (index < 0)
            return 0;
        if (index >= _settings.Length)
        {
            Array.Resize(ref _settings, index * 2);
            Array.Resize(ref _sessions, index * 2);
        }

        _settings[index] = settings;
        _sessions[index] = session;
        return index;
    }

    public void Return(int index)
    {
        ref var held = ref _slab[index];
        held.Head.Release();
        held.Buffer.Release();
        held.Waiting.Release();
        held.Owed.Release();
        held.Pings.Release();
        _settings[index] = null;
        _sessions[index] = null;
        _slab.Return(index);
    }

    public void Dispose() => _slab.Dispose();
}
