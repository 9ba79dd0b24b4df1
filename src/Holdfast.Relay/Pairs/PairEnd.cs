using Holdfast.Relay.Interop;

namespace Holdfast.Relay.Pairs;

/// <summary>One line of the access log, in plain form: what was, once the pair is gone.</summary>
public struct PairEnd
{
    public UInt128 Id;
    public NativeAddress Client;
    public int ListenerId;
    public int BackendId;
    public int EndpointId;
    public EndReason Reason;
    public EndSide Side;

    /// <summary>The first Close frame's code; 0: none, or an empty Close.</summary>
    public ushort CloseCode;

    /// <summary>Milliseconds from the accept to the 101, and from there to the end.</summary>
    public long HandshakeMs;
    public long DurationMs;
    public long BytesFromClient;
    public long BytesFromEndpoint;
    public long MessagesFromClient;
    public long MessagesFromEndpoint;
    public PathBytes Path;
}

/// <summary>An established pair, as the admin API shows it.</summary>
public struct PairView
{
    public UInt128 Id;
    public NativeAddress Client;
    public int BackendId;
    public int EndpointId;

    /// <summary>Milliseconds since the 101, and since anything was last relayed.</summary>
    public long AgeMs;
    public long IdleMs;
    public long BytesFromClient;
    public long BytesFromEndpoint;
    public long MessagesFromClient;
    public long MessagesFromEndpoint;

    /// <summary>Bytes waiting for a slow client, and for a slow endpoint.</summary>
    public int WaitingForClient;
    public int WaitingForEndpoint;
    public PathBytes Path;
}

/// <summary>What one loop has relayed for one endpoint. Written by the loop alone with plain adds; other threads read each number whole.</summary>
public struct EndpointTraffic
{
    /// <summary>Established pairs.</summary>
    public int Open;
    public long MessagesToEndpoint;
    public long MessagesToClient;
    public long BytesToEndpoint;
    public long BytesToClient;
}
