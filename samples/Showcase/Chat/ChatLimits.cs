namespace Showcase.Chat;

/// <summary>What bounds the memory that strangers can take.</summary>
internal static class ChatLimits
{
    /// <summary>Messages a room remembers, so that a newcomer sees what the talk is about.</summary>
    public const int History = 50;

    /// <summary>Bytes of UTF-8 in one message's text.</summary>
    public const int TextBytes = 2048;

    /// <summary>Bytes of one message on the wire: the text with every byte escaped (\u00XX) and the JSON around it.</summary>
    public const int FrameBytes = 16 * 1024;

    public const int NameLength = 32;
    public const int RoomLength = 32;
    public const int Rooms = 256;
    public const int MembersPerRoom = 500;

    /// <summary>Messages waiting for one client; one more, and it is too slow and dropped.</summary>
    public const int Outbox = 256;
}
