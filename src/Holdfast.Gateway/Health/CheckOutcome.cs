namespace Holdfast.Gateway.Health;

/// <summary>How one active check ended: the <c>outcome</c> of <c>holdfast_health_checks_total</c>, in snake_case. Numbers are never reused.</summary>
internal enum CheckOutcome
{
    /// <summary>The endpoint answered as it should.</summary>
    Passed = 0,

    /// <summary>Refused, unreachable, or the host name has no address.</summary>
    ConnectFailed = 1,

    /// <summary>Not done within the check's timeout.</summary>
    Timeout = 2,

    /// <summary>Another status than 200 to 299, or than 101 of a websocket check.</summary>
    BadStatus = 3,

    /// <summary>The answer was malformed, did not prove the key, or the connection ended before it.</summary>
    BadAnswer = 4,

    /// <summary>The gateway had no descriptor or port left: says nothing of the endpoint, and counts for nothing.</summary>
    NotMade = 5,

    /// <summary>It does not speak TLS, or its certificate is refused.</summary>
    TlsFailed = 6,
}

/// <summary>One check's end.</summary>
/// <param name="Reason">To be read after "is unhealthy,"; empty when it passed.</param>
internal readonly record struct CheckResult(CheckOutcome Outcome, string Reason)
{
    public static readonly CheckResult Passed = new(CheckOutcome.Passed, "");

    /// <summary>The peer ended the connection in the middle.</summary>
    public static readonly CheckResult Ended = new(CheckOutcome.BadAnswer, "it ended the connection before it had answered");
}
