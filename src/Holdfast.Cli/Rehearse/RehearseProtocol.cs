namespace Holdfast.Cli.Rehearse;

/// <summary>The protocols that can be rehearsed: those that a connection can be held in.</summary>
internal enum RehearseProtocol
{
    /// <summary>Questions and answers, without any state of a connection.</summary>
    Opaque,

    /// <summary>Subscriptions of a numbered feed, and orders, in JSON.</summary>
    Json,

    /// <summary>A subscription and mutations, as the npm package graphql-ws speaks them.</summary>
    GraphqlTransportWs,
}

/// <summary>Names as users write them.</summary>
internal static class RehearseProtocols
{
    public static string NameOf(this RehearseProtocol protocol) => protocol switch
    {
        RehearseProtocol.Json => "json",
        RehearseProtocol.GraphqlTransportWs => "graphql-transport-ws",
        _ => "opaque",
    };

    /// <summary>Null: there is none of that name.</summary>
    public static RehearseProtocol? Find(string name) => name switch
    {
        "opaque" => RehearseProtocol.Opaque,
        "json" => RehearseProtocol.Json,
        "graphql-transport-ws" => RehearseProtocol.GraphqlTransportWs,
        _ => null,
    };

    /// <summary>Whether its app feeds each connection, besides answering it.</summary>
    public static bool HasFeed(this RehearseProtocol protocol) => protocol != RehearseProtocol.Opaque;
}
