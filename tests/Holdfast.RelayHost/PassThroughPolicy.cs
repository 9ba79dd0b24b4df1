using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Links;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;
using Holdfast.Wire.WebSocket;

namespace Holdfast.RelayHost;

/// <summary>
/// Dials what it is told with the head as it came, and answers as the endpoint did. What it saw is there for tests; the settings may be changed
/// between handshakes.
/// </summary>
public class PassThroughPolicy : IHandshakePolicy
{
    public const string BadGateway = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

    /// <summary>By attempt, from 1 on; null: no address.</summary>
    public Func<int, IPEndPoint?> Target { get; set; } = _ => null;

    public PairSettings Settings { get; set; }

    public ReservedBits ReservedBits { get; set; }

    /// <summary>How pairs are held; null: they are not.</summary>
    public HoldSettings? Hold { get; set; }

    /// <summary>By attempt, from 1 on: who connects; null: the loop.</summary>
    public Func<int, IUpstreamDialer?> Dialer { get; set; } = _ => null;

    public int ConnectTimeout { get; set; } = 60_000;

    public int HandshakeTimeout { get; set; } = 60_000;

    public int AttemptTimeout { get; set; }

    public int MaxAttempts { get; set; } = 1;

    /// <summary>On the loop's thread, right before the 101 goes out.</summary>
    public Action<Handshake>? Established { get; set; }

    public BlockingCollection<PairEnd> Ends { get; } = [];

    public BlockingCollection<HandshakeEnd> HandshakeEnds { get; } = [];

    public BlockingCollection<(int Fd, byte[] Received)> HandedOff { get; } = [];

    /// <summary>Of the socket handed off last.</summary>
    public string? HandedOffPeer { get; private set; }

    /// <summary>Whether sockets that are handed off are taken.</summary>
    public bool TakesHandOffs { get; set; } = true;

    public ConcurrentQueue<DialFailure> DialFailures { get; } = new();

    public ConcurrentQueue<RequestFault> Faults { get; } = new();

    /// <summary>Decides about requests that could be dialled; null: they are.</summary>
    public Func<Handshake, HandshakeStep>? OnAsked { get; set; }

    /// <summary>Decides about handshakes that waited; null: they are refused.</summary>
    public Func<Handshake, bool, HandshakeStep>? OnResume { get; set; }

    /// <summary>What connections begin with, by their peers.</summary>
    public Func<NativeAddress, ProxyHeaderUse> ProxyHeader { get; set; } = _ => ProxyHeaderUse.None;

    public ProxyHeaderUse ProxyHeaderOf(int listenerId, in NativeAddress peer) => ProxyHeader(peer);

    /// <summary>Whether connections are for others, unread.</summary>
    public bool HandsOffUnread { get; set; }

    public bool IsHandedOffUnread(int listenerId) => HandsOffUnread;

    public virtual HandshakeStep OnRequest(Handshake handshake, ReadOnlySpan<byte> head)
    {
        if (head.StartsWith("POST "u8))
            return HandshakeStep.HandOff;
        handshake.UpstreamRequest.Append(head);
        handshake.Settings = Settings;
        handshake.ReservedBits = ReservedBits;
        handshake.Hold = Hold;
        handshake.ConnectTimeout = ConnectTimeout;
        handshake.HandshakeTimeout = HandshakeTimeout;
        handshake.AttemptTimeout = AttemptTimeout;
        handshake.Target = TargetOf(1);
        handshake.Dialer = Dialer(1);
        return OnAsked?.Invoke(handshake) ?? HandshakeStep.Dial;
    }

    public HandshakeStep OnResumed(Handshake handshake, bool isTimeout) => OnResume?.Invoke(handshake, isTimeout) ?? HandshakeStep.Refuse;

    public void OnRequestFault(Handshake handshake, RequestFault fault)
    {
        Faults.Enqueue(fault);
        Answer(handshake, fault switch
        {
            RequestFault.HeadTimeout => "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
            RequestFault.HeadTooLarge => "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n",
            _ => "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        });
    }

    public HandshakeStep OnDialFailed(Handshake handshake, DialFailure failure)
    {
        DialFailures.Enqueue(failure);
        if (handshake.Attempts < MaxAttempts)
        {
            handshake.Target = TargetOf(handshake.Attempts + 1);
            handshake.Dialer = Dialer(handshake.Attempts + 1);
            return HandshakeStep.Dial;
        }

        Answer(handshake, BadGateway);
        return HandshakeStep.Refuse;
    }

    public HandshakeStep OnResponse(Handshake handshake, ReadOnlySpan<byte> head)
    {
        if (ResponseHead.TryParse(head, out var parsed) != ResponseFault.None)
        {
            Answer(handshake, BadGateway);
            return HandshakeStep.Refuse;
        }

        if (parsed.Status is >= 100 and < 200 and not 101)
            return HandshakeStep.AwaitNext;
        handshake.Response.Clear();
        handshake.Response.Append(head);
        if (parsed.Status == 101)
            return HandshakeStep.Upgrade;
        handshake.Body = new ResponseBody(parsed.Framing, Math.Max(0, parsed.ContentLength));
        return HandshakeStep.RelayRefusal;
    }

    public bool HandOff(Handshake handshake, int fd, ReadOnlySpan<byte> received)
    {
        HandedOffPeer = handshake.Peer.ToEndPoint().ToString();
        if (TakesHandOffs)
            HandedOff.Add((fd, received.ToArray()));
        else
            Answer(handshake, BadGateway);
        return TakesHandOffs;
    }

    public void OnEstablished(Handshake handshake) => Established?.Invoke(handshake);

    public void OnHandshakeEnded(Handshake handshake, HandshakeEnd end) => HandshakeEnds.Add(end);

    public void OnPairEnded(in PairEnd end) => Ends.Add(end);

    private static void Answer(Handshake handshake, string response)
    {
        handshake.Response.Clear();
        handshake.Response.Append(Encoding.ASCII.GetBytes(response));
    }

    private NativeAddress TargetOf(int attempt) => Target(attempt) is { } address ? NativeAddress.From(address) : default;
}
