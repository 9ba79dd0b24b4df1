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
    public PairClaims Claims;
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

    /// <summary>Times that another endpoint took over, and client messages of which nobody knows whether an endpoint read them.</summary>
    public int Rehomes;
    public long Unknown;
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

    /// <summary>Times that another endpoint took over, and milliseconds since the last (0: none).</summary>
    public int Rehomes;
    public long RehomeAgeMs;

    /// <summary>Client messages of which nobody knows whether an endpoint read them.</summary>
    public long Unknown;

    /// <summary>No endpoint serves it at the moment, or its messages wait for another.</summary>
    public bool IsHeld;
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
