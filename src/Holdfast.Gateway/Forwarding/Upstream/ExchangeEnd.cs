namespace Holdfast.Gateway.Forwarding.Upstream;

/// <summary>Why the gateway itself ended an exchange with an endpoint. The first cause counts.</summary>
internal enum ExchangeEnd
{
    None,
    ClientGone,
    ClientStalled,
    RequestTimeout,

    /// <summary>The request's body is malformed, comes too slowly, or breaks off.</summary>
    BadBody,

    /// <summary>A bug; the exception is kept.</summary>
    Bug,
}

/// <summary>The gateway itself has ended the exchange.</summary>
internal sealed class ExchangeEndedException(ExchangeEnd end) : Exception
{
    public ExchangeEnd End { get; } = end;
}
