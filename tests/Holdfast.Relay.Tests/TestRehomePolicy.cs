using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Holdfast.Relay.Handshakes;
using Holdfast.Relay.Holding;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;
using Holdfast.Wire.Http1;

namespace Holdfast.Relay.Tests;

/// <summary>
/// Dials the endpoints it is given, the first that is neither leaving nor to be left out, with the saved head and the number of the re-home. Takes
/// a place for each dial and gives it back as the gateway's own policy does; the places are there for tests to count.
/// </summary>
internal sealed class TestRehomePolicy : IRehomePolicy
{
    private readonly ConcurrentDictionary<int, NativeAddress> _endpoints = new();
    private readonly ConcurrentDictionary<int, bool> _leaving = new();

    public ConcurrentDictionary<int, int> Places { get; } = new();

    /// <summary>Who connects; null: the loop.</summary>
    public Links.IUpstreamDialer? Dialer { get; set; }

    public BlockingCollection<RehomeEnd> Ends { get; } = [];

    public BlockingCollection<Exception> Bugs { get; } = [];

    /// <param name="id">From 1 on, if the first endpoint is the harness's own.</param>
    public void Add(int id, Socket listener) => _endpoints[id] = NativeAddress.From((IPEndPoint)listener.LocalEndPoint!);

    public void Remove(int id) => _endpoints.TryRemove(id, out _);

    public void SetLeaving(int id, bool leaving) => _leaving[id] = leaving;

    public void Take(int id) => Places.AddOrUpdate(id, 1, (_, n) => n + 1);

    public void Release(int endpointId) => Places.AddOrUpdate(endpointId, -1, (_, n) => n - 1);

    public bool HasOther(int backendId, int endpointId) => TryPick([endpointId], out _, out _);

    public bool IsLeaving(int endpointId) => _leaving.GetValueOrDefault(endpointId);

    public bool TryPrepare(Handshake handshake, in RehomeRequest request)
    {
        if (!TryPick(request.Tried, out var id, out var address))
            return false;
        Take(id);
        handshake.PolicyState = this;
        handshake.UpstreamRequest.Append(request.Head[..^2]);
        handshake.UpstreamRequest.Append(Encoding.ASCII.GetBytes(FormattableString.Invariant($"Holdfast-Rehomed: {request.Number}\r\n\r\n")));
        handshake.Settings = new PairSettings { BackendId = request.BackendId, EndpointId = id };
        handshake.Target = address;
        handshake.Dialer = Dialer;
        return true;
    }

    public HandshakeStep OnDialFailed(Handshake handshake, DialFailure failure) => Refuse(handshake, RedialFailure.Unavailable);

    public HandshakeStep OnResponse(Handshake handshake, ReadOnlySpan<byte> head)
    {
        if (ResponseHead.TryParse(head, out var response) != ResponseFault.None)
            return Refuse(handshake, RedialFailure.Refused);
        return response.Status switch
        {
            101 => HandshakeStep.Upgrade,
            401 or 403 => Refuse(handshake, RedialFailure.Final),
            503 => Refuse(handshake, RedialFailure.Unavailable),
            _ => Refuse(handshake, RedialFailure.Refused),
        };
    }

    public void OnDialed(Handshake handshake) => handshake.PolicyState = null;

    public void OnHandshakeEnded(Handshake handshake, HandshakeEnd end)
    {
        if (handshake.PolicyState is not null)
            Release(handshake.Settings.EndpointId);
        handshake.PolicyState = null;
    }

    public void OnRehomed(in RehomeEnd end) => Ends.Add(end);

    public void OnBug(Exception exception) => Bugs.Add(exception);

    private static HandshakeStep Refuse(Handshake handshake, RedialFailure failure)
    {
        handshake.Failure = failure;
        return HandshakeStep.Refuse;
    }

    private bool TryPick(ReadOnlySpan<int> excluded, out int id, out NativeAddress address)
    {
        foreach (var (candidate, at) in _endpoints.OrderBy(e => e.Key))
        {
            if (excluded.Contains(candidate) || IsLeaving(candidate))
                continue;
            (id, address) = (candidate, at);
            return true;
        }

        (id, address) = (0, default);
        return false;
    }
}
