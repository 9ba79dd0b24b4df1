namespace Holdfast.Wire.Sessions.GraphQl;

/// <summary>What an operation does to the server, and so whether it may be sent a second time.</summary>
internal enum OperationKind : byte
{
    /// <summary>Cannot be told: not a document, several operations and none named, or none at all.</summary>
    Unknown = 0,
    Query = 1,
    Mutation = 2,
    Subscription = 3,
}
