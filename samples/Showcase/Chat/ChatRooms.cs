using Showcase.Hosting;

namespace Showcase.Chat;

/// <summary>
/// The rooms of this replica. They live in this process alone, on purpose: two people see each other only when the same replica serves them,
/// which makes load balancing visible. Any thread.
/// </summary>
internal sealed class ChatRooms(Replica replica, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, ChatRoom> _rooms = new(StringComparer.Ordinal);
    private int _connections;
    private long _lastClient;

    public int Connections => Volatile.Read(ref _connections);

    public int RoomCount
    {
        get { lock (_lock) return _rooms.Count; }
    }

    public long NextClientId() => Interlocked.Increment(ref _lastClient);

    /// <summary>Puts the client into the named room; null when the room is full, or a new one is needed and every room is in use.</summary>
    public ChatRoom? Join(string name, ChatClient client)
    {
        // Under the lock, so that a room is never evicted between being found and being joined.
        lock (_lock)
        {
            if (!_rooms.TryGetValue(name, out var room))
            {
                if (_rooms.Count >= ChatLimits.Rooms && !TryEvict())
                    return null;
                room = _rooms[name] = new ChatRoom(name, replica.Name, time);
            }

            if (!room.TryJoin(client))
                return null;
            Interlocked.Increment(ref _connections);
            return room;
        }
    }

    public void Leave(ChatRoom room, ChatClient client)
    {
        room.Leave(client);
        Interlocked.Decrement(ref _connections);
    }

    private bool TryEvict()
    {
        var idlest = _rooms.Values.Where(r => r.MemberCount == 0).MinBy(r => r.LastActive);
        return idlest is not null && _rooms.Remove(idlest.Name);
    }
}
