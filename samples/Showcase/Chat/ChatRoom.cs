namespace Showcase.Chat;

/// <summary>
/// One room on this replica: its members and its last messages. Any thread; the lock is held for short, non-blocking work only, and sending
/// under it keeps one order of messages for everybody.
/// </summary>
internal sealed class ChatRoom(string name, string replica, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly List<ChatClient> _members = [];
    private readonly Queue<Said> _history = new(ChatLimits.History + 1);
    private long _lastMessage;

    public string Name { get; } = name;

    public int MemberCount
    {
        get { lock (_lock) return _members.Count; }
    }

    /// <summary>When somebody last joined or spoke, as a timestamp of the time provider.</summary>
    public long LastActive { get; private set; } = time.GetTimestamp();

    /// <summary>Adds the client, greets it, and tells the others; false when the room is full.</summary>
    public bool TryJoin(ChatClient client)
    {
        lock (_lock)
        {
            if (_members.Count >= ChatLimits.MembersPerRoom)
                return false;
            LastActive = time.GetTimestamp();
            Broadcast(new Joined(new Member(client.Id, client.Name)));
            _members.Add(client);
            client.Send(new Welcome(replica, Name, client.Id, [.. _members.Select(m => new Member(m.Id, m.Name))], [.. _history]));
            return true;
        }
    }

    public void Leave(ChatClient client)
    {
        lock (_lock)
        {
            if (_members.Remove(client))
                Broadcast(new Left(client.Id));
        }
    }

    public void Say(ChatClient from, string text)
    {
        lock (_lock)
        {
            LastActive = time.GetTimestamp();
            var said = new Said(++_lastMessage, from.Id, from.Name, text, time.GetUtcNow().ToUnixTimeMilliseconds());
            _history.Enqueue(said);
            if (_history.Count > ChatLimits.History)
                _history.Dequeue();
            Broadcast(said);
        }
    }

    private void Broadcast(ServerMessage message)
    {
        var bytes = ChatClient.Serialize(message);
        foreach (var member in _members)
            member.Send(bytes);
    }
}
