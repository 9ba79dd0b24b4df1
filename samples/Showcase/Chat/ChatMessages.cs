using System.Text.Json;
using System.Text.Json.Serialization;

namespace Showcase.Chat;

/// <summary>What a client sends: <c>{"type":"say","text":"hello"}</c>.</summary>
internal sealed record ClientMessage(string? Type, string? Text);

/// <summary>What a client is sent. The type is in the JSON's first member.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(Welcome), "welcome")]
[JsonDerivedType(typeof(Said), "message")]
[JsonDerivedType(typeof(Joined), "joined")]
[JsonDerivedType(typeof(Left), "left")]
[JsonDerivedType(typeof(Refused), "refused")]
internal abstract record ServerMessage;

/// <summary>The first message: who serves, who you are, who else is here, what was said before.</summary>
internal sealed record Welcome(string Replica, string Room, long You, IReadOnlyList<Member> Here, IReadOnlyList<Said> History) : ServerMessage;

/// <param name="Id">Grows by one per message of this replica's room.</param>
/// <param name="From">The member's id on this replica.</param>
/// <param name="Name">The member's name.</param>
/// <param name="Text">At most <see cref="ChatLimits.TextBytes"/>.</param>
/// <param name="Time">Milliseconds since 1970.</param>
internal sealed record Said(long Id, long From, string Name, string Text, long Time) : ServerMessage;

internal sealed record Member(long Id, string Name);

internal sealed record Joined(Member Member) : ServerMessage;

internal sealed record Left(long Id) : ServerMessage;

/// <summary>The client's last message was not taken, and why.</summary>
internal sealed record Refused(string Why) : ServerMessage;

/// <summary>The answer of <c>/api/replica</c>.</summary>
internal sealed record ReplicaStatus(string Replica, int ProcessId, int Connections, int Rooms, long UptimeMs);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ClientMessage))]
[JsonSerializable(typeof(ServerMessage))]
[JsonSerializable(typeof(ReplicaStatus))]
internal sealed partial class ChatJson : JsonSerializerContext;
