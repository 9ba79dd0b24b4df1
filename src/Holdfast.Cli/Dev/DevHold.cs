namespace Holdfast.Cli.Dev;

/// <summary>A hold that needs no more than these two words, as the configuration spells them.</summary>
internal sealed record DevHold(string Protocol, string Mode)
{
    public const string BreakFirst = "breakFirst";
    private const string MakeFirst = "makeFirst";
    private const string Opaque = "opaque";

    /// <summary>The Showcase's chat joins its room by the request's query: another replica knows all that one did.</summary>
    public static readonly DevHold OfShowcase = new(Opaque, BreakFirst);

    /// <summary>What is wrong with <c>--hold</c> and <c>--mode</c>, with a good one; null: nothing.</summary>
    /// <param name="protocol">Null: not given.</param>
    /// <param name="mode">Null: not given.</param>
    public static string? FaultOf(string? protocol, string? mode, string? configFile)
    {
        if (protocol is null)
            return mode is null ? null : $"--mode '{mode}': without --hold there is nothing to replace endpoints for; write for example --hold {Opaque}";
        if (configFile is not null)
            return $"--hold '{protocol}': --config says itself how its backends are held; write `hold: {{protocol: {Opaque}}}` into the backend there";
        if (protocol is "json")
            return "--hold 'json': json needs rules that tell its messages apart; write them into a file's `hold: {protocol: json, json: {set: …}}` and use --config FILE";
        if (protocol is "socket.io" or "signalr" or "mqtt")
            return $"--hold '{protocol}' is not supported by this version; write for example {Opaque}";
        if (protocol is not ("none" or Opaque or "graphql-transport-ws"))
            return $"--hold '{protocol}': {Opaque}, graphql-transport-ws or none is needed";
        if (mode is not (null or BreakFirst or MakeFirst))
            return $"--mode '{mode}': {BreakFirst} or {MakeFirst} is needed";
        return mode is MakeFirst && protocol is Opaque ? $"--mode '{mode}': with --hold {Opaque} there is nothing to overlap; write {BreakFirst}" : null;
    }
}
