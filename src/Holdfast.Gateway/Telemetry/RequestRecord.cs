using System.Runtime.CompilerServices;
using System.Text;
using Holdfast.Gateway.Forwarding;
using Holdfast.Gateway.LoadBalancing;
using Holdfast.Relay.Interop;
using Holdfast.Relay.Pairs;

namespace Holdfast.Gateway.Telemetry;

/// <summary>What is told of plain requests. Any thread; must not block, log or wait.</summary>
internal interface IRequestTelemetry
{
    /// <summary>A request ended, whatever way; also one that was refused for what it is, before any route: with <see cref="RequestOutcome.BadRequest"/> and its status.</summary>
    void OnRequestEnded(in RequestRecord record);
}

/// <summary>One plain request, for the metrics and the access log.</summary>
internal readonly record struct RequestRecord
{
    public UInt128 Id { get; init; }

    public required NativeAddress Client { get; init; }

    public RequestMethod Method { get; init; }

    /// <summary>The path without its query, maybe cut.</summary>
    public PathBytes Path { get; init; }

    public required RequestOutcome Outcome { get; init; }

    /// <summary>The status sent to the client; 0 when it got none.</summary>
    public required int Status { get; init; }

    /// <summary>Milliseconds from the whole head to the answer's end.</summary>
    public long DurationMs { get; init; }

    /// <summary>From the request's whole head to the answer's; below 0: no endpoint answered.</summary>
    public double HeadSeconds { get; init; }

    /// <summary>Null when none was chosen.</summary>
    public BackendState? Backend { get; init; }

    public EndpointState? Endpoint { get; init; }

    /// <summary>Endpoints tried.</summary>
    public int Attempts { get; init; }

    /// <summary>Of the request's body.</summary>
    public long BytesFromClient { get; init; }

    /// <summary>Of the answer's body.</summary>
    public long BytesFromEndpoint { get; init; }

    public static PathBytes PathOf(ReadOnlySpan<byte> path)
    {
        PathBytes bytes = default;
        path[..Math.Min(path.Length, PathBytes.Length)].CopyTo(bytes);
        return bytes;
    }
}

/// <summary>A request's method, a token, cut at the array's length.</summary>
[InlineArray(Length)]
internal struct RequestMethod
{
    public const int Length = 16;
    private byte _first;

    public static RequestMethod Of(ReadOnlySpan<byte> method)
    {
        RequestMethod bytes = default;
        method[..Math.Min(method.Length, Length)].CopyTo(bytes);
        return bytes;
    }

    public override readonly string ToString()
    {
        ReadOnlySpan<byte> bytes = this;
        return Encoding.ASCII.GetString(bytes.TrimEnd((byte)0));
    }
}
