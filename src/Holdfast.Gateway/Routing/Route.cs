using System.Text;
using Holdfast.Api.Configuration;
using Holdfast.Gateway.Admission;
using Holdfast.Gateway.Filters;
using Holdfast.Gateway.LoadBalancing;

namespace Holdfast.Gateway.Routing;

/// <summary>A route in force: its options, its conditions beside host and path, and its backends. Immutable; thread-safe.</summary>
internal sealed class Route
{
    private readonly byte[][] _methods;
    private readonly (byte[] Name, byte[] Value)[] _headers;
    private readonly (byte[] Name, byte[] Value)[] _query;
    private readonly BackendState[] _backends;
    private readonly long[] _sums;
    private int _hasRefusedOrigin;

    public Route(int index, RouteOptions options, Func<string, BackendState> backendOf)
    {
        (Index, Options) = (index, options);
        Origins = OriginRules.Compile(options.Origins);
        Filters = new FilterPlan(options.Filters, options.Path);
        _methods = [.. options.Methods.Select(Encoding.ASCII.GetBytes)];
        _headers = [.. options.Headers.Select(h => (Encoding.ASCII.GetBytes(h.Name.ToLowerInvariant()), Encoding.ASCII.GetBytes(h.Value)))];
        _query = [.. options.Query.Select(q => (Encoding.ASCII.GetBytes(q.Name), Encoding.ASCII.GetBytes(q.Value)))];

        var weighted = options.Backends.Where(b => b.Weight > 0).ToList();
        _backends = [.. weighted.Select(b => backendOf(b.Name))];
        _sums = new long[weighted.Count];
        var sum = 0L;
        for (var i = 0; i < weighted.Count; i++)
            _sums[i] = sum += weighted[i].Weight;
    }

    /// <summary>Place in the configuration, from 0.</summary>
    public int Index { get; }

    public RouteOptions Options { get; }

    /// <summary>Which sites' pages may open WebSockets here.</summary>
    public OriginRules Origins { get; }

    public FilterPlan Filters { get; }

    /// <summary>Whether nobody has been refused for the origin before: asked once for each refusal.</summary>
    public bool IsFirstRefusedOrigin() => Interlocked.Exchange(ref _hasRefusedOrigin, 1) == 0;

    /// <summary>Backends with a weight above 0, in the configuration's order.</summary>
    public ReadOnlySpan<BackendState> Backends => _backends;

    /// <summary>Gateway API's order after host and path: a method match, then the most headers, then the most query parameters.</summary>
    internal (int Method, int Headers, int Query) Specificity => (_methods.Length > 0 ? 1 : 0, _headers.Length, _query.Length);

    /// <summary>A backend by weight; null only when every weight is 0 (Gateway API: such a request is answered 500).</summary>
    /// <param name="random">Belongs to the calling thread.</param>
    public BackendState? Choose(Random random)
    {
        if (_backends.Length <= 1)
            return _backends.Length == 0 ? null : _backends[0];
        var point = random.NextInt64(_sums[^1]);
        var i = 0;
        while (point >= _sums[i])
            i++;
        return _backends[i];
    }

    /// <summary>Everything but host and path.</summary>
    internal bool Matches(in RequestView request) =>
        MatchesListener(request.Listener) && MatchesMethod(request.Method) && MatchesHeaders(request.Headers) && MatchesQuery(request.Query);

    private bool MatchesListener(string? listener)
    {
        var names = Options.Listeners;
        if (names.Count == 0)
            return true;
        for (var i = 0; i < names.Count; i++)
        {
            if (string.Equals(names[i], listener, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    private bool MatchesMethod(ReadOnlySpan<byte> method)
    {
        if (_methods.Length == 0)
            return true;
        foreach (var allowed in _methods)
        {
            if (method.SequenceEqual(allowed))
                return true;
        }

        return false;
    }

    private bool MatchesHeaders(IHeaderLookup? headers)
    {
        foreach (var (name, value) in _headers)
        {
            if (headers is null || !headers.TryGet(name, out var given) || !given.SequenceEqual(value))
                return false;
        }

        return true;
    }

    private bool MatchesQuery(ReadOnlySpan<byte> query)
    {
        foreach (var (name, value) in _query)
        {
            if (!TryGetParameter(query, name, out var given) || !given.SequenceEqual(value))
                return false;
        }

        return true;
    }

    /// <summary>The first parameter of this name (Gateway API recommends the first of several); raw, without percent-decoding.</summary>
    internal static bool TryGetParameter(ReadOnlySpan<byte> query, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        while (!query.IsEmpty)
        {
            var end = query.IndexOf((byte)'&');
            var parameter = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[(end + 1)..];
            var equals = parameter.IndexOf((byte)'=');
            if (!(equals < 0 ? parameter : parameter[..equals]).SequenceEqual(name))
                continue;
            value = equals < 0 ? default : parameter[(equals + 1)..];
            return true;
        }

        value = default;
        return false;
    }
}
