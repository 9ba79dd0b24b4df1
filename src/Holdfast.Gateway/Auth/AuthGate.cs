using Holdfast.Api.Configuration;
using Holdfast.Gateway.Routing;
using Holdfast.Relay.Interop;

namespace Holdfast.Gateway.Auth;

/// <summary>One backend's auth service: its connections, and how many questions are under way. Thread-safe. Made anew when its options change; what is under way ends with the old one.</summary>
internal sealed class AuthGate : IDisposable
{
    public AuthGate(AuthOptions options) => Options = options;

    public AuthOptions Options { get; }

    /// <summary>Called after every <see cref="Exit"/>, on its thread: must not wait.</summary>
    public Action? Released { get; set; }

    /// <summary>Takes one of <c>maxInFlight</c> places; false: none is free. True: pair it with one <see cref="Exit"/>.</summary>
    public bool TryEnter() => throw new NotSupportedException();

    /// <summary>Waits for a place, for plain requests.</summary>
    public Task EnterAsync(CancellationToken cancel) => throw new NotSupportedException();

    public void Exit() => throw new NotSupportedException();

    /// <summary>Asks; the caller has a place. Never throws but for cancellation.</summary>
    public Task<AuthAnswer> AskAsync(AuthQuestion question, CancellationToken cancel) => throw new NotSupportedException();

    public void Dispose()
    {
    }
}

/// <summary>What the service is told of a request. Owns its bytes: the head may be gone when it is asked.</summary>
internal sealed class AuthQuestion
{
    /// <summary>Takes from a head what <paramref name="options"/> names.</summary>
    /// <param name="request">The head as the endpoint gets it, or the client's.</param>
    /// <param name="scheme">http or https, as the client used it.</param>
    public static AuthQuestion From(AuthOptions options, in RequestView request, in NativeAddress client, string scheme)
    {
        _ = (options, request.Path.Length, client, scheme);
        throw new NotSupportedException();
    }
}

internal enum AuthVerdict
{
    Allowed,

    /// <summary>401 or 403.</summary>
    Refused,

    /// <summary>No answer in time, none at all, or another than those: 503.</summary>
    Failed,
}

/// <summary>What came of asking.</summary>
internal sealed record AuthAnswer(AuthVerdict Verdict)
{
    /// <summary>When refused: 401 or 403.</summary>
    public int Status { get; init; }

    /// <summary>When allowed: lines for the endpoint's request (<c>name: value CR LF</c> each), checked. When refused: the whole answer for the client, head and body.</summary>
    public byte[] Bytes { get; init; } = [];

    /// <summary>When it failed: why, for the client and the log, without secrets.</summary>
    public string Detail { get; init; } = "";
}
