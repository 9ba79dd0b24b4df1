using Holdfast.Api.Configuration;

namespace Holdfast.Gateway.Admission;

/// <summary>Counts out handshakes at a rate. A plain struct, under its queue's lock.</summary>
internal struct TokenBucket
{
    private double _tokens;
    private long _at;
    private bool _isFilled;

    /// <summary>Whether one may go, by the options as they are now.</summary>
    public bool Has(HandshakeOptions options, long nowMs)
    {
        if (options.RatePerSecond == 0)
            return true;
        double most = options.Burst == 0 ? options.RatePerSecond : options.Burst;
        _tokens = _isFilled ? Math.Min(most, _tokens + ((nowMs - _at) * options.RatePerSecond / 1000.0)) : most;
        _isFilled = true;
        _at = nowMs;
        return _tokens >= 1;
    }

    public void Take(HandshakeOptions options)
    {
        if (options.RatePerSecond > 0)
            _tokens--;
    }

    /// <summary>Milliseconds until one may go; 0: now, as far as this is concerned.</summary>
    public int Until(HandshakeOptions options, long nowMs) =>
        Has(options, nowMs) ? 0 : (int)Math.Ceiling((1 - _tokens) * 1000 / options.RatePerSecond);
}
