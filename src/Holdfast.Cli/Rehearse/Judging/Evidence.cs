namespace Holdfast.Cli.Rehearse.Judging;

/// <summary>A message of a client; its sequence is its place in the client's list. Times are microseconds since 1970, here and below.</summary>
/// <param name="Due">When it was to be sent, whatever the answers did.</param>
/// <param name="At">When it was written; 0: never.</param>
internal readonly record struct SentMessage(long Due, long At);

/// <summary>An answer as a client received it.</summary>
/// <param name="Sequence">Of the question.</param>
/// <param name="Stream">The replica's connection that it was written to.</param>
/// <param name="Counter">Its place among all answers of that stream.</param>
/// <param name="At">When it came.</param>
/// <param name="TookMicros">The application's own time, from the journal's entry to the answer.</param>
/// <param name="IsError">The protocol's error in place of an answer.</param>
internal readonly record struct Answer(int Sequence, long Stream, long Counter, long At, long TookMicros, bool IsError = false);

/// <summary>A feed message as a client received it.</summary>
internal readonly record struct Tick(long Sequence, long At);

/// <summary>An end of a client's connection that the client did not ask for.</summary>
/// <param name="Code">1005 for a Close without one, 1006 for an end without a Close (RFC 6455 section 7.4.1).</param>
internal readonly record struct Disconnect(long At, int Code);

/// <summary>Everything one client did and saw.</summary>
/// <param name="Number">Of the connection.</param>
/// <param name="OpenedAt">The first time.</param>
/// <param name="Feed">The clock of its feed; null: it has none.</param>
/// <param name="Sent">In the order of their sequence.</param>
/// <param name="Answers">As they came.</param>
/// <param name="Ticks">As they came.</param>
/// <param name="Disconnects">As they came.</param>
/// <param name="Refused">Attempts to connect that failed.</param>
/// <param name="Strange">Messages from the server that fit nothing.</param>
internal sealed record ConnectionRecord(
    int Number,
    long OpenedAt,
    FeedClock? Feed,
    IReadOnlyList<SentMessage> Sent,
    IReadOnlyList<Answer> Answers,
    IReadOnlyList<Tick> Ticks,
    IReadOnlyList<Disconnect> Disconnects,
    int Refused = 0,
    int Strange = 0);

/// <summary>A message that a replica has read, written before its handler ran.</summary>
internal readonly record struct ReadEntry(int Connection, int Sequence, long At);

/// <summary>An answer that a replica has handed to its WebSocket library without a fault.</summary>
/// <param name="TookMicros">From the entry of the question to the answer.</param>
internal readonly record struct AnsweredEntry(int Connection, int Sequence, long At, long TookMicros);

/// <summary>The file that one process of a replica left.</summary>
/// <param name="Replica">Its name.</param>
/// <param name="ProcessId">Of the process.</param>
/// <param name="Read">In the order of the file.</param>
/// <param name="Answered">In the order of the file; nothing where the library does not tell.</param>
internal sealed record ReplicaJournal(string Replica, int ProcessId, IReadOnlyList<ReadEntry> Read, IReadOnlyList<AnsweredEntry> Answered);

internal enum EndKind
{
    /// <summary>Whoever is in front was told, then it drained.</summary>
    Planned,

    /// <summary>SIGTERM was the first news.</summary>
    Late,

    /// <summary>SIGKILL.</summary>
    Killed,
}

/// <summary>The end of one process of a replica.</summary>
/// <param name="At">SIGTERM or SIGKILL.</param>
internal readonly record struct ReplicaEnd(int ProcessId, EndKind Kind, long At);

/// <summary>All that a run is judged by: nothing of it comes from who is judged.</summary>
/// <param name="Connections">The clients' own records.</param>
/// <param name="Journals">The replicas' own files.</param>
/// <param name="Ends">What was done to the replicas.</param>
/// <param name="Until">When the last message was due, and up to when the feed is looked at.</param>
/// <param name="AnswersAreOrdered">Answers of one stream come in the order of their counters.</param>
internal sealed record Evidence(
    IReadOnlyList<ConnectionRecord> Connections,
    IReadOnlyList<ReplicaJournal> Journals,
    IReadOnlyList<ReplicaEnd> Ends,
    long Until,
    bool AnswersAreOrdered = true);
